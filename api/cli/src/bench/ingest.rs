//! `millrace bench ingest`: a log into all views, as fast as one core goes.
//!
//! The log is a real one: invoices issued through the commands, published by the relay. Its raw
//! messages are read into memory, then go through assembling, JSON decoding, every view, snapshots
//! and checkpoints with Millrace's process pinned to one core; marts are off. Beside it stand the
//! rates at which the broker and the Parquet copy alone give the same messages.
//!
//! A replay may be over before a checkpoint is due. Each therefore ends with one, which counts with the
//! share of the interval between two that the replay took.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chrono::Utc;
use futures::FutureExt;
use futures::future::BoxFuture;
use millrace_events::Position;
use millrace_kernel::{Batch, Context, Kernel};
use millrace_source::{
    Assembler, BufferBounds, Cut, Cutter, Decoder, EpochTarget, Message, Offer, SourceEpoch,
};
use millrace_views::{EpochFeed, OpenFeed, Pipeline, PipelineOptions, Purpose, Registry, Target};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::world::World;
use super::{settings, stage};
use crate::args::BenchCommon;
use crate::feed;
use crate::system::System;

/// Invoices in one transaction while the log is made: the rules are the same.
const CHUNK: usize = 250;
/// Share of the time that goes into making the log.
const MAKE_SHARE: f64 = 0.4;
const SETTLE_MAX: Duration = Duration::from_secs(120);

#[derive(Debug, Serialize)]
pub struct Ingest {
    events_per_second_core: f64,
    decode_events_per_second_core: f64,
    bytes_per_event: f64,
    rows_per_second: f64,
    checkpoint_seconds: f64,
    events: usize,
    repeats: usize,
    broker_events_per_second: f64,
    copy_events_per_second: f64,
    views: usize,
    seed: u64,
}

pub async fn run(options: &BenchCommon) -> Result<Ingest> {
    let folder = tempfile::tempdir()?;
    stage(options, "starting the system");
    let system = System::start(settings(folder.path())?, None).await?;
    stage(options, "making a log of invoices with 5 lines");
    let world = World::make(&system.kernel).await?;
    let time = Duration::from_secs_f64(options.seconds as f64 * MAKE_SHARE);
    make_log(&system.kernel, &world, time, options.seed).await?;
    let end = until_applied(&system).await?;

    stage(options, "reading the log from the broker");
    let brokers = system.stack.endpoints().kafka_brokers.clone();
    let broker_seconds = read_through(&*feed::log_only(&brokers, &system.folders)?, end).await?;
    let copy = feed::copy(&system.folders)?;
    // Ending the pipeline writes what the copy still lacks.
    system.shutdown().await;
    stage(options, "reading the log from the Parquet copy");
    let started = Instant::now();
    let messages = copy.messages().await?;
    let copy_seconds = started.elapsed().as_secs_f64();
    let read = messages.last().map_or(Position::START, |message| message.position);
    ensure!(read == end, "the copy ends at {read}, the log at {end}");

    pin_to_one_core()?;
    stage(options, "decoding alone, pinned to one core");
    let (decode_seconds, rows) = decode(&messages)?;
    stage(options, "through all views, pinned to one core");
    let registry = Registry::load()?;
    let views = registry.views().len();
    let mut replays: Vec<Replayed> = Vec::new();
    let budget = options.seconds as f64 * (1.0 - MAKE_SHARE);
    while replays.is_empty() || replays.iter().map(|replay| replay.seconds).sum::<f64>() < budget {
        replays.push(replay(&registry, &messages, end, replays.len()).await?);
    }
    // The middle one: a machine shared with others slows down for seconds at a time.
    replays.sort_by(|one, other| one.seconds.total_cmp(&other.seconds));
    let Replayed { seconds, checkpoint_seconds } = replays[replays.len() / 2];
    let events = messages.len();
    let bytes: usize =
        messages.iter().filter_map(|message| message.value.as_ref()).map(|value| value.len()).sum();
    let per_second = |seconds: f64| events as f64 / seconds;
    Ok(Ingest {
        events_per_second_core: per_second(seconds),
        decode_events_per_second_core: per_second(decode_seconds),
        bytes_per_event: bytes as f64 / events as f64,
        rows_per_second: rows as f64 / seconds,
        checkpoint_seconds,
        events,
        repeats: replays.len(),
        broker_events_per_second: per_second(broker_seconds),
        copy_events_per_second: per_second(copy_seconds),
        views,
        seed: options.seed,
    })
}

async fn make_log(kernel: &Kernel, world: &World, time: Duration, seed: u64) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let started = Instant::now();
    while started.elapsed() < time {
        let invoices = (0..CHUNK).map(|_| world.invoice(&mut random)).collect();
        kernel.run(&Context::system(kernel), &Batch(invoices)).await?;
    }
    Ok(())
}

async fn until_applied(system: &System) -> Result<Position> {
    let lsn: String = sqlx::query_scalar("select pg_current_wal_flush_lsn()::text")
        .fetch_one(system.kernel.pool())
        .await?;
    let target = Target::Token(millrace_events::Token(lsn.parse()?));
    Ok(system.pipeline.wait_for(target, SETTLE_MAX).await?.position)
}

/// Seconds that a feed alone takes.
async fn read_through(feeds: &dyn OpenFeed, end: Position) -> Result<f64> {
    let started = Instant::now();
    let mut feed = feeds.open(Cut::default(), Purpose::Verify).await?;
    while feed.next_epoch().await?.last_position < end {}
    Ok(started.elapsed().as_secs_f64())
}

/// Seconds that decoding takes, and the rows it gives: lines, movements and the like, not events.
fn decode(messages: &[Message]) -> Result<(f64, usize)> {
    let mut decoder = Decoder::default();
    let mut rows = 0;
    let started = Instant::now();
    for epoch in messages.chunks(EpochTarget::default().events_max) {
        for transaction in epoch.chunk_by(|before, _| before.number < before.size) {
            decoder
                .transaction(transaction)
                .map_err(|(position, reason)| anyhow::anyhow!("position {position}: {reason}"))?;
        }
        rows += decoder.finish()?.tables.iter().map(|(_, batch)| nested_rows(batch)).sum::<usize>();
    }
    Ok((started.elapsed().as_secs_f64(), rows))
}

/// Rows of the lists in a batch, or of the batch itself where it has none.
fn nested_rows(batch: &arrow::array::RecordBatch) -> usize {
    use arrow::array::{Array, AsArray};
    let lists = batch.columns().iter().filter_map(|column| column.as_list_opt::<i32>());
    lists.map(|list| list.values().len()).sum::<usize>().max(batch.num_rows())
}

#[derive(Clone, Copy)]
struct Replayed {
    /// From the first message to the last epoch published, with the share of a checkpoint.
    seconds: f64,
    /// The whole of the checkpoint at the end.
    checkpoint_seconds: f64,
}

async fn replay(
    registry: &Registry,
    messages: &[Message],
    end: Position,
    repeat: usize,
) -> Result<Replayed> {
    let folder = tempfile::tempdir()?;
    let begun = Arc::new(OnceLock::new());
    let feeds = Arc::new(Memory { messages: messages.into(), begun: Arc::clone(&begun) });
    let options = PipelineOptions::new(
        registry.clone(),
        folder.path().join(repeat.to_string()),
        Arc::new(Utc::now),
    );
    let interval = options.checkpoint_interval.as_secs_f64();
    let pipeline = Pipeline::start(options, feeds).await?;
    pipeline.wait_for(Target::Position(end), Duration::from_secs(600)).await?;
    let begun: &Instant = begun.get().context("the pipeline has read the messages")?;
    let seconds = begun.elapsed().as_secs_f64();
    let started = Instant::now();
    pipeline.checkpoint().await?;
    let checkpoint_seconds = started.elapsed().as_secs_f64();
    pipeline.shutdown().await;
    // A replay longer than the interval has taken its checkpoints on the way.
    let share = if seconds < interval { seconds / interval } else { 0.0 };
    Ok(Replayed { seconds: seconds + checkpoint_seconds * share, checkpoint_seconds })
}

/// The raw messages of a log, in memory.
struct Memory {
    messages: Arc<[Message]>,
    /// When the first was asked for.
    begun: Arc<OnceLock<Instant>>,
}

struct MemoryFeed {
    messages: Arc<[Message]>,
    begun: Arc<OnceLock<Instant>>,
    next: usize,
    assembler: Assembler,
    cutter: Cutter,
    target: EpochTarget,
}

impl OpenFeed for Memory {
    fn open(
        &self,
        start: Cut,
        _: Purpose,
    ) -> BoxFuture<'_, millrace_views::Result<Box<dyn EpochFeed>>> {
        let feed = MemoryFeed {
            messages: Arc::clone(&self.messages),
            begun: Arc::clone(&self.begun),
            next: usize::try_from(start.position.0).unwrap_or_default(),
            assembler: Assembler::new(&start, BufferBounds::default(), 1),
            cutter: Cutter::new(start),
            target: EpochTarget::default(),
        };
        async move { Ok(Box::new(feed) as Box<dyn EpochFeed>) }.boxed()
    }
}

impl EpochFeed for MemoryFeed {
    fn next_epoch(&mut self) -> BoxFuture<'_, millrace_views::Result<SourceEpoch>> {
        async move {
            self.begun.get_or_init(Instant::now);
            loop {
                let ready = self.assembler.ready();
                let is_full =
                    ready.events >= self.target.events_max || ready.bytes >= self.target.bytes_max;
                match self.messages.get(self.next).filter(|_| !is_full) {
                    Some(message) => {
                        self.next += 1;
                        if let Offer::Unverified(message) =
                            self.assembler.offer(message.clone()).map_err(|e| feed::failed(&e))?
                        {
                            return Err(feed::failed(&self.assembler.too_old(&message)));
                        }
                    }
                    None if ready.events == 0 => std::future::pending().await,
                    None => {
                        let messages =
                            self.assembler.take(&self.target).map_err(|e| feed::failed(&e))?;
                        let offsets = self.assembler.offsets();
                        let cut =
                            self.cutter.cut(&messages, offsets).map_err(|e| feed::failed(&e))?;
                        return Ok(cut.epoch);
                    }
                }
            }
        }
        .boxed()
    }

    fn log_end(&self) -> Position {
        self.messages.last().map_or(Position::START, |message| message.position)
    }
}

/// All threads that there are, and with them those that are made later.
fn pin_to_one_core() -> Result<()> {
    let mut core = CpuSet::new();
    core.set(0)?;
    for task in std::fs::read_dir("/proc/self/task")? {
        let id = task?.file_name().to_string_lossy().parse().context("a thread's id")?;
        sched_setaffinity(Pid::from_raw(id), &core)?;
    }
    Ok(())
}
