//! `nexmark-dbsp --query q4 --events FILE --epoch-events N --workers W`
//!
//! Runs one Nexmark query on dbsp, one transaction per N events, and prints a line of JSON: the fingerprint
//! of the rows given, processor and wall-clock seconds, state bytes, transactions and their 99th percentile.
//! Events are in memory before the clock starts.

mod event;
mod hash;
mod query;

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dbsp::Runtime;
use dbsp::mimalloc::MiMalloc;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let options: HashMap<&str, &str> =
        arguments.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    let option = |name| options.get(name).copied().with_context(|| format!("{name} is missing"));
    let (query, workers) = (option("--query")?.to_owned(), option("--workers")?.parse::<usize>()?);
    let each = option("--epoch-events")?.parse()?;
    let transactions = event::read(Path::new(option("--events")?), each)?;

    let (mut circuit, handles) =
        Runtime::init_circuit(workers, move |circuit| query::build(circuit, &query))?;
    handles.feed_side();
    circuit.transaction()?;
    let mut fingerprint = (handles.results)();

    let mut times = Vec::with_capacity(transactions.len());
    let (cpu, started) = (processor_time()?, Instant::now());
    for mut transaction in transactions {
        let begun = Instant::now();
        handles.persons.append(&mut transaction.persons);
        handles.auctions.append(&mut transaction.auctions);
        handles.bids.append(&mut transaction.bids);
        circuit.transaction()?;
        fingerprint = fingerprint.wrapping_add((handles.results)());
        times.push(begun.elapsed());
    }
    let (cpu, wall) = (processor_time()? - cpu, started.elapsed());
    times.sort();
    let p99 = times[(times.len() * 99).div_ceil(100) - 1];
    let state = circuit.retrieve_profile()?.total_used_bytes().ok().map(|bytes| bytes.bytes);
    let measured = json!({
        "fingerprint": fingerprint,
        "cpu_seconds": cpu.as_secs_f64(),
        "wall_seconds": wall.as_secs_f64(),
        "state_bytes": state,
        "epochs": times.len(),
        "epoch_ms_p99": p99.as_secs_f64() * 1000.0,
    });
    println!("{measured}");
    circuit.kill().ok();
    Ok(())
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
