//! How fast JSON becomes Arrow: events per second of one core's time (as the system accounts it to
//! this thread, so that a busy machine does not matter), beside arrow-json's tape decoder on the
//! same envelopes. `cargo run -p millrace-source --example decode [seconds]`.
#![expect(clippy::print_stdout, reason = "what it measured is what it is for")]

#[path = "../tests/it/given.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod given;

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use given::{Given, Written};
use millrace_events::catalogue;
use millrace_source::{Decoder, Message};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

const EVENTS: usize = 4096;

/// What is measured: its name and how one is made.
type Kind = (&'static str, fn(&mut Given) -> Written);

fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(3.0), |text| text.parse())?;
    let time = Duration::from_secs_f64(seconds);
    let mut given = Given::seed(7);
    let mut sale = Vec::new();
    let kinds: [Kind; 3] = [
        ("invoice.issued, 5 lines, 2 tenders", |given| given.invoice(5)),
        ("stock.moved, 5 movements", |given| given.stock(5)),
        ("journal.posted, 7 lines", |given| given.journal(7)),
    ];
    println!(
        "{:<36} {:>6} {:>12} {:>12} {:>8}",
        "events per core and second", "bytes", "millrace", "arrow-json", "GB/s"
    );
    for (name, make) in kinds {
        let log = given::log((0..EVENTS).map(|_| vec![make(&mut given)]));
        sale.extend_from_slice(&log);
        measure(name, &log, time)?;
    }
    let third = sale.len() / 3;
    let mixed: Vec<Message> =
        (0..third).flat_map(|at| [0, 1, 2].map(|kind| sale[kind * third + at].clone())).collect();
    let ours = rate(&mixed, time, ours(&mut Decoder::default()))?;
    println!(
        "{:<36} {:>6} {:>12.0} {:>12} {:>8.2}",
        "a sale's three events",
        bytes(&mixed),
        ours,
        "",
        ours * bytes(&mixed) as f64 / 1e9
    );
    Ok(())
}

fn measure(name: &str, log: &[Message], time: Duration) -> anyhow::Result<()> {
    let ours = rate(log, time, ours(&mut Decoder::default()))?;
    let spec = catalogue::find(log[0].event_type.as_str()).expect("a known event");
    let payload = DataType::Struct(spec.columns().iter().map(|column| column.field()).collect());
    let at = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Arc::new(Schema::new(vec![
        Field::new("event_id", DataType::Utf8, false),
        Field::new("timestamp", at, false),
        Field::new("source_service", DataType::Utf8, false),
        Field::new("payload", payload, false),
    ]));
    let theirs = rate(log, time, |log| {
        let mut decoder = arrow_json::ReaderBuilder::new(schema.clone())
            .with_batch_size(log.len())
            .build_decoder()?;
        for message in log {
            decoder.decode(message.value.as_deref().expect("an envelope"))?;
        }
        Ok(decoder.flush()?.map_or(0, |batch| batch.num_rows()))
    })?;
    println!(
        "{name:<36} {:>6} {ours:>12.0} {theirs:>12.0} {:>8.2}",
        bytes(log),
        ours * bytes(log) as f64 / 1e9
    );
    Ok(())
}

fn ours(decoder: &mut Decoder) -> impl FnMut(&[Message]) -> anyhow::Result<usize> {
    |log| {
        for transaction in log.chunk_by(|before, _| before.number < before.size) {
            decoder.transaction(transaction).map_err(|(_, reason)| anyhow::anyhow!("{reason}"))?;
        }
        Ok(decoder.finish()?.tables.iter().map(|(_, rows)| rows.num_rows()).sum())
    }
}

fn rate(
    log: &[Message],
    time: Duration,
    mut decode: impl FnMut(&[Message]) -> anyhow::Result<usize>,
) -> anyhow::Result<f64> {
    decode(log)?;
    let started = cpu_time()?;
    let mut events = 0;
    while cpu_time()? - started < time {
        let rows = decode(log)?;
        anyhow::ensure!(rows == log.len(), "{rows} of {} events decoded", log.len());
        events += rows;
    }
    Ok(events as f64 / (cpu_time()? - started).as_secs_f64())
}

/// Of this thread.
fn cpu_time() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_THREAD)?;
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(Duration::from_micros(micros.unsigned_abs()))
}

fn bytes(log: &[Message]) -> usize {
    let bytes: usize =
        log.iter().filter_map(|message| message.value.as_ref()).map(|value| value.len()).sum();
    bytes / log.len()
}
