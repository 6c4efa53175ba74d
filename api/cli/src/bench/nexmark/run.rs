//! The engines in this process.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::Result;
use millrace_engine::EngineConfig;
use millrace_nexmark::{Batch, Incremental, Query, Tables};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::report::Measured;
use crate::args::BenchNexmark;
use crate::bench::latency::Latencies;

/// How often a run answers from scratch.
const RECOMPUTE_EPOCHS: usize = 5;

/// Our engine, one epoch after the other.
pub fn incremental(query: Query, epochs: &[Tables], options: &BenchNexmark) -> Result<Measured> {
    let config = EngineConfig {
        workers: options.workers.into(),
        stopwatch: options.explain.then_some(since_start as fn() -> Duration),
        ..EngineConfig::default()
    };
    let mut run = Incremental::new(query, config)?;
    let mut clock = Clock::start()?;
    for tables in epochs {
        run.step(tables)?;
        clock.epoch();
    }
    let measured = clock.stop()?;
    let explained = run.explain()?;
    if options.explain {
        eprint!("{explained}");
    }
    let state_bytes = Some(explained.state_bytes() as u64);
    Ok(Measured { fingerprint: run.fingerprint().value(), state_bytes, ..measured })
}

/// Batch SQL over all tables so far, after each fifth of the events.
pub async fn recompute(query: Query, epochs: &[Tables]) -> Result<Measured> {
    let mut batch = Batch::new();
    let mut fingerprint = 0;
    let mut clock = Clock::start()?;
    for epochs in epochs.chunks(epochs.len().div_ceil(RECOMPUTE_EPOCHS)) {
        epochs.iter().for_each(|tables| batch.add(tables));
        fingerprint = batch.answer(query).await?.value();
        clock.epoch();
    }
    Ok(Measured { fingerprint, ..clock.stop()? })
}

/// Measures from here on.
struct Clock {
    cpu: Duration,
    wall: Instant,
    last: Instant,
    epochs: Latencies,
}

impl Clock {
    fn start() -> Result<Self> {
        let wall = Instant::now();
        Ok(Self { cpu: processor_time()?, wall, last: wall, epochs: Latencies::new() })
    }

    fn epoch(&mut self) {
        let now = Instant::now();
        self.epochs.record(now - self.last);
        self.last = now;
    }

    fn stop(self) -> Result<Measured> {
        Ok(Measured {
            fingerprint: 0,
            cpu_seconds: (processor_time()? - self.cpu).as_secs_f64(),
            wall_seconds: self.wall.elapsed().as_secs_f64(),
            state_bytes: None,
            epochs: Some(self.epochs.percentiles().count),
            epoch_ms_p99: Some(self.epochs.percentiles().p99),
        })
    }
}

/// Of all threads of this process.
fn processor_time() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let duration = |time: TimeVal| {
        let micros = time.tv_sec() * 1_000_000 + time.tv_usec();
        Duration::from_micros(micros.unsigned_abs())
    };
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

fn since_start() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
