//! What `max` costs over rows that go: `cargo run -p millrace-engine --example extremes`.
//!
//! Prints nanoseconds per row of each grouping: of many groups with ten values each, of one group with as many
//! values as there are rows, and over counts that change with every row, as in "the busiest auction". Times are
//! those of the grouping's operator alone.

use std::io::Write;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::DateTime;
use millrace_engine::{
    Cut, Delta, Engine, EngineConfig, Epoch, OperatorReport, Relation, RelationKind, ViewDefinition,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const GROUPS: i64 = 20_000;
const ROWS_KEPT: usize = 200_000;
const EPOCH_ROWS: usize = 10_000;
const EPOCHS: u64 = 60;

const VIEWS: &[(&str, &str)] = &[
    ("of_groups", "select g, max(v) as top from numbers group by g"),
    ("of_all", "select max(v) as top from numbers"),
    ("counts", "select g, count(*) as n from numbers group by g"),
    ("busiest", "select max(n) as top from counts"),
    ("latest", "select g, last_value(v order by t) as v from numbers group by g"),
];

fn watch() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// The grouping of a view's tree.
fn grouping(report: &OperatorReport) -> Option<&OperatorReport> {
    match report.description.starts_with("Aggregate") {
        true => Some(report),
        false => report.inputs.iter().find_map(grouping),
    }
}

fn main() -> anyhow::Result<()> {
    let fields = ["g", "v", "t"].map(|name| Field::new(name, DataType::Int64, false));
    let schema = Arc::new(Schema::new(fields.to_vec()));
    let mut engine =
        Engine::new(EngineConfig { stopwatch: Some(watch), ..EngineConfig::default() })?;
    engine.create_relation(Relation {
        name: "numbers".to_owned(),
        schema: Arc::clone(&schema),
        kind: RelationKind::Changes,
    })?;
    for (name, sql) in VIEWS {
        engine.create_view(ViewDefinition {
            name: (*name).to_owned(),
            sql: (*sql).to_owned(),
            key: Vec::new(),
            materialize: false,
        })?;
    }
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut kept: Vec<[i64; 3]> = Vec::new();
    for number in 1..=EPOCHS {
        let (mut rows, mut weights) = (Vec::new(), Vec::new());
        for _ in 0..EPOCH_ROWS {
            if kept.len() >= ROWS_KEPT && random.random_bool(0.5) {
                let place = random.random_range(0..kept.len());
                rows.push(kept.swap_remove(place));
                weights.push(-1);
                continue;
            }
            let row = [
                random.random_range(0..GROUPS),
                random.random_range(0..1_000_000_000),
                number as i64 * 1_000_000 + rows.len() as i64,
            ];
            kept.push(row);
            rows.push(row);
            weights.push(1);
        }
        let column =
            |at: usize| Arc::new(rows.iter().map(|row| row[at]).collect::<Int64Array>()) as _;
        let batch = RecordBatch::try_new(Arc::clone(&schema), (0..3).map(column).collect())?;
        let delta = Delta { batch, weights: Some(weights.into()) };
        let now = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");
        let inputs = vec![("numbers".to_owned(), delta)];
        engine.step(Epoch { number, cut: Cut::new(), inputs, now })?;
    }
    let mut output = std::io::stdout().lock();
    for (name, sql) in VIEWS {
        let explain = engine.explain(name)?;
        let report = grouping(&explain.root).expect("each view groups");
        let time = report.time.expect("a stopwatch is set").total;
        writeln!(
            output,
            "{{\"view\": {name:?}, \"ns_per_row\": {:.0}, \"rows\": {}, \"state_bytes\": {}, \"sql\": {sql:?}}}",
            time.as_nanos() as f64 / report.rows_in as f64,
            report.rows_in,
            report.state_bytes,
        )?;
    }
    Ok(())
}
