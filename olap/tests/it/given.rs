//! Marts, epochs and loaders for tests.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::DateTime;
use millrace_events::Position;
use millrace_local::testing;
use millrace_olap::{
    BatchLog, BatchRange, Clickhouse, Connection, LoadEpoch, Loader, LoaderOptions, MartKind,
    MartRows, MartSpec, Start,
};
use parking_lot::Mutex;

pub const SOON: Duration = Duration::from_secs(30);

pub fn options(server: &testing::ClickHouse) -> LoaderOptions {
    let mut options =
        LoaderOptions::new(Connection::new(server.url(), server.user(), server.password()));
    options.flush_interval = Duration::from_millis(10);
    options.part_rows_max = 3;
    options
}

pub fn clickhouse(server: &testing::ClickHouse) -> Clickhouse {
    Clickhouse::new(&options(server).connection, SOON)
}

fn spec(name: &str, kind: MartKind, fingerprint: &str) -> MartSpec {
    MartSpec {
        name: name.into(),
        kind,
        title: "A test's mart".into(),
        schema: Arc::new(Schema::new(vec![
            Field::new("position", DataType::Int64, false),
            Field::new("k", DataType::Utf8, false),
            Field::new("amount", DataType::Decimal128(18, 2), true),
        ])),
        key: vec!["k".into()],
        column_docs: BTreeMap::from([("amount".into(), "It's money".into())]),
        fingerprint: fingerprint.into(),
    }
}

pub fn current() -> MartSpec {
    spec("live_k", MartKind::Current, "f1")
}

pub fn current_changed() -> MartSpec {
    spec("live_k", MartKind::Current, "f2")
}

pub fn history() -> MartSpec {
    spec("fct_k", MartKind::History, "f1")
}

/// One event per position: it sets key `p % 4` to its position, and deletes it where `p % 7 == 0`.
pub fn rows(positions: impl IntoIterator<Item = u64>) -> RecordBatch {
    let positions: Vec<i64> = positions.into_iter().map(signed).collect();
    let keys = StringArray::from_iter_values(positions.iter().map(|p| format!("k{}", p % 4)));
    let amounts = positions.iter().map(|p| (p % 5 != 0).then_some(i128::from(*p) * 100));
    let amounts: Decimal128Array = amounts.collect();
    let amounts = amounts.with_precision_and_scale(18, 2).expect("an amount fits 18 digits");
    let columns: Vec<arrow::array::ArrayRef> =
        vec![Arc::new(Int64Array::from(positions)), Arc::new(keys), Arc::new(amounts)];
    RecordBatch::try_new(current().schema, columns).expect("the columns are the schema's")
}

fn signed(position: u64) -> i64 {
    i64::try_from(position).expect("a position is below 2^63")
}

/// What the current mart must hold once all positions up to `last` are in.
pub fn state_at(last: u64) -> RecordBatch {
    let newest = (0..4).filter_map(|k| (1..=last).rev().find(|p| p % 4 == k));
    rows(newest.filter(|p| p % 7 != 0))
}

/// The epoch of positions `first..=last`.
pub fn epoch(first: u64, last: u64) -> LoadEpoch {
    let newest = |k: u64| (first..=last).rev().find(|p| p % 4 == k);
    let touched: Vec<u64> = (0..4).filter_map(newest).collect();
    let (gone, here): (Vec<u64>, Vec<u64>) = touched.into_iter().partition(|p| p % 7 == 0);
    LoadEpoch {
        epoch: last,
        first_position: Position(first),
        position: Position(last),
        frontier: None,
        as_of: DateTime::from_timestamp(signed(last), 0),
        changes: vec![
            ("live_k".into(), MartRows::Keyed { upserts: rows(here), deletes: rows(gone) }),
            ("fct_k".into(), MartRows::Appended { rows: rows(first..=last), weights: None }),
        ],
    }
}

/// Keeps what is noted, as a journal on disk would.
#[derive(Clone, Debug, Default)]
pub struct Noted(pub Arc<Mutex<Vec<BatchRange>>>);

impl BatchLog for Noted {
    fn note(&mut self, range: BatchRange) -> io::Result<()> {
        self.0.lock().push(range);
        Ok(())
    }
}

pub fn start(noted: &Noted, from: u64) -> Start {
    Start {
        from: Position(from),
        unsent: vec![],
        noted: noted.0.lock().clone(),
        lineage: "l".into(),
        log: Box::new(noted.clone()),
        clock: Arc::new(|| DateTime::UNIX_EPOCH),
    }
}

pub async fn load(loader: &Loader, cuts: &[u64]) {
    for pair in cuts.windows(2) {
        loader.enqueue(epoch(pair[0] + 1, pair[1])).await.expect("taken");
    }
    let last = cuts.last().copied().unwrap_or_default();
    loader.wait_for(Position(last), SOON).await.expect("loaded");
}
