//! What is printed: a row per query and engine.

use anyhow::Result;
use millrace_nexmark::{Fingerprint, Query};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::args::BenchNexmark;
use crate::output::Rows;

/// One run of a query; also the line that a peer prints.
#[derive(Debug, Deserialize)]
pub struct Measured {
    /// Of all rows given, as [`Fingerprint::value`].
    pub fingerprint: u64,
    /// Of all threads.
    pub cpu_seconds: f64,
    pub wall_seconds: f64,
    pub state_bytes: Option<u64>,
    /// How often results were complete.
    pub epochs: Option<u64>,
    pub epoch_ms_p99: Option<f64>,
}

pub struct Report {
    events: u64,
    workers: u16,
    rows: Rows,
}

impl Report {
    pub fn new(options: &BenchNexmark) -> Self {
        let rows = Rows::new(&[
            "query",
            "engine",
            "events",
            "events_per_second_core",
            "state_bytes",
            "epoch_ms_p99",
            "matches",
            "cpu_seconds",
            "wall_seconds",
            "workers",
            "epochs",
            "rows",
            "error",
        ]);
        Self { events: options.events, workers: options.workers, rows }
    }

    /// Adds a row; an engine's failure is said on stderr too.
    pub fn push(
        &mut self,
        query: Query,
        engine: &'static str,
        measured: Result<Measured>,
        expected: Fingerprint,
    ) {
        // DataFusion is kept to one thread.
        let workers = if engine == "datafusion" { 1 } else { self.workers };
        let row = match measured {
            Ok(run) => vec![
                json!(query.name),
                json!(engine),
                json!(self.events),
                json!((self.events as f64 / run.cpu_seconds).round()),
                json!(run.state_bytes),
                json!(run.epoch_ms_p99),
                json!(run.fingerprint == expected.value()),
                json!(rounded(run.cpu_seconds)),
                json!(rounded(run.wall_seconds)),
                json!(workers),
                json!(run.epochs),
                json!(expected.rows()),
                Value::Null,
            ],
            Err(error) => {
                let error = format!("{error:#}");
                eprintln!("{} on {engine}: {error}", query.name);
                let mut row = vec![Value::Null; 13];
                row[..3].clone_from_slice(&[json!(query.name), json!(engine), json!(self.events)]);
                row[12] = json!(error);
                row
            }
        };
        self.rows.push(row);
    }

    pub fn into_rows(self) -> Rows {
        self.rows
    }
}

/// To milliseconds.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
