//! Benchmarks: each starts a system of its own in a temporary folder unless URLs are given, takes
//! `--seconds`, and prints one JSON object as its last line on stdout. Durability is the product's. Nexmark
//! alone needs no system: it measures the engine beside others.

mod e2e;
mod ingest;
mod invoice;
mod latency;
mod memory;
mod nexmark;
pub mod world;

use anyhow::Result;
use serde::Serialize;

use crate::args::{Bench, BenchCommon, Output};
use crate::command::say;
use crate::config::Settings;

/// # Errors
/// Whatever keeps the benchmark from being made.
pub async fn run(bench: Bench, output: Output) -> Result<()> {
    match bench {
        Bench::E2e(options) => print(&e2e::run(&options).await?),
        Bench::Ingest(options) => print(&ingest::run(&options).await?),
        Bench::Invoice(options) => print(&invoice::run(&options).await?),
        Bench::Nexmark(options) => nexmark::run(&options).await?.print(output),
    }
}

fn print(result: &impl Serialize) -> Result<()> {
    say(&format!("{}\n", serde_json::to_string(result)?))
}

/// The product's settings in a folder of the benchmark's own, on any free port.
fn settings(folder: &std::path::Path) -> Result<Settings> {
    let mut settings = Settings::load(None, Some(folder))?;
    settings.gateway.port = 0;
    settings.environment = "bench".to_owned();
    Ok(settings)
}

/// Says on stderr what is being done, and what it measures for.
fn stage(options: &BenchCommon, what: &str) {
    eprintln!("bench (seed {}): {what}", options.seed);
}
