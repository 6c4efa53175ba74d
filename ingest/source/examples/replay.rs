//! How fast the whole source reads a log it has missed, and how soon it sees what is appended: on
//! an embedded broker, or on `MILLRACE_KAFKA_BROKERS`.
//! `cargo run -p millrace-source --example replay [transactions] [copy]`.
#![expect(clippy::print_stdout, reason = "what it measured is what it is for")]

#[path = "../tests/it/broker.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod broker;
#[path = "../tests/it/given.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod given;

use std::time::{Duration, Instant};

use broker::{Broker, epochs_until};
use given::Given;
use millrace_events::Position;
use millrace_source::{Cut, EpochTarget, Message, Source, SourceOptions};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// Transactions appended one after the other to measure the delay.
const LIVE: usize = 200;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let transactions = arguments.next().map_or(Ok(30_000), |text| text.parse())?;
    let has_copy = arguments.next().is_some();
    let broker = Broker::start().await?;
    let mut given = Given::seed(5);
    let sale = |given: &mut Given| vec![given.stock(5), given.journal(7), given.invoice(5)];
    let log = given::log((0..transactions + LIVE).map(|_| sale(&mut given)).collect::<Vec<_>>());
    let (past, live) = log.split_at(transactions * 3);
    println!("appending {} events", past.len());
    broker.append(past)?;

    let options = SourceOptions {
        target: EpochTarget::default(),
        copy: has_copy.then(|| broker.copy()),
        ..broker.options(&Cut::default())
    };
    let mut source = Source::open(options).await?;
    let (started, cpu) = (Instant::now(), cpu_time()?);
    let mut epochs = 0;
    let end = Position(past.len() as u64);
    while source.next_epoch().await?.last_position < end {
        epochs += 1;
    }
    let (wall, cpu) = (started.elapsed(), cpu_time()? - cpu);
    let bytes: usize =
        past.iter().filter_map(|message| message.value.as_ref()).map(|value| value.len()).sum();
    println!(
        "replayed in {wall:.2?} and {cpu:.2?} of processor time, {epochs} epochs: {:.0} events per second, {:.0} per core and second, {:.0} bytes per event",
        past.len() as f64 / wall.as_secs_f64(),
        past.len() as f64 / cpu.as_secs_f64(),
        bytes as f64 / past.len() as f64,
    );
    delay(&broker, &mut source, live).await?;
    if let Some(copied) = source.flush_copy().await? {
        println!(
            "the second copy reaches position {copied}, {:.2?} of processor time in all",
            cpu_time()?
        );
    }
    source.close().await;
    Ok(())
}

/// From handing a transaction to the producer (which gathers for 2 ms) to its epoch.
async fn delay(broker: &Broker, source: &mut Source, live: &[Message]) -> anyhow::Result<()> {
    let mut delays = Vec::new();
    for transaction in live.chunk_by(|before, _| before.number < before.size) {
        let sent = Instant::now();
        broker.send_all(transaction)?;
        let last = transaction.last().map(|message| message.position);
        epochs_until(source, |epoch| Some(epoch.last_position) >= last).await?;
        delays.push(sent.elapsed());
        tokio::time::sleep(Duration::from_millis(13)).await;
    }
    delays.sort_unstable();
    println!(
        "from sent to epoch: p50 {:.1?}, p99 {:.1?}",
        delays[delays.len() / 2],
        delays[delays.len() * 99 / 100]
    );
    Ok(())
}

/// Of this process.
fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}
