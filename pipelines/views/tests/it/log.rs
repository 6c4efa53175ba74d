//! A log in memory, and feeds that cut it into epochs at random transaction ends.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow_json::ReaderBuilder;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use millrace_events::{Lsn, Position, catalogue};
use millrace_source::{Cut, SourceEpoch};
use millrace_views::{EpochFeed, Error, OpenFeed, Purpose, Result};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::sync::watch;

use crate::events::Recorded;

/// An event at its place, decoded.
#[derive(Debug)]
struct Logged {
    position: Position,
    table: String,
    row: RecordBatch,
    at: DateTime<Utc>,
}

/// Transactions in commit order; the n-th has LSN n × 100.
#[derive(Debug)]
pub struct Log {
    transactions: Mutex<Vec<Vec<Logged>>>,
    length: watch::Sender<usize>,
    life: Mutex<Life>,
    seed: Mutex<u64>,
    transactions_max: usize,
}

/// How often the database was restored, and the transactions that it lacks since.
#[derive(Debug)]
struct Life {
    incarnation: u32,
    orphaned: Range<usize>,
    /// Feeds give nothing until the log is released.
    is_held: bool,
}

impl Log {
    /// Feeds cut epochs of 1 to `transactions_max` transactions; each feed cuts differently.
    pub fn new(seed: u64, transactions_max: usize) -> Arc<Self> {
        let length = watch::Sender::new(0);
        let (transactions, seed) = (Mutex::new(vec![]), Mutex::new(seed));
        let life = Mutex::new(Life { incarnation: 1, orphaned: 0..0, is_held: false });
        Arc::new(Self { transactions, length, life, seed, transactions_max })
    }

    /// The database is restored from a backup that ends before the last `lost` transactions. Feeds tell
    /// of it and give nothing else until [`Log::release`].
    pub fn restore(&self, lost: usize) {
        let transactions = self.transactions.lock().len();
        let mut life = self.life.lock();
        let orphaned = transactions - lost..transactions;
        *life = Life { incarnation: life.incarnation + 1, orphaned, is_held: true };
        self.length.send_replace(transactions);
    }

    pub fn release(&self) {
        self.life.lock().is_held = false;
        self.length.send_modify(|_| ());
    }

    pub fn append(&self, transaction: Vec<Recorded>) {
        let mut transactions = self.transactions.lock();
        let mut position =
            transactions.last().and_then(|t| t.last()).map_or(0, |last| last.position.0);
        let rows = transaction.into_iter().map(|event| {
            position += 1;
            let schema = catalogue::EVENTS
                .iter()
                .find(|spec| spec.table_name() == event.table)
                .expect("an event")
                .arrow_schema();
            let text = format!(
                "{{\"position\":{position},\"event_id\":\"e{position}\",\"event_at\":\"{}\",\
                 \"source_service\":\"test\",{}\n",
                event.at.to_rfc3339_opts(SecondsFormat::Micros, true),
                &event.payload[1..]
            );
            let mut reader = ReaderBuilder::new(schema).build(Cursor::new(text)).expect("schema");
            let row = reader.next().expect("a row").expect("sound JSON");
            Logged { position: Position(position), table: event.table, row, at: event.at }
        });
        let rows = rows.collect();
        transactions.push(rows);
        self.length.send_replace(transactions.len());
    }

    pub fn end(&self) -> Position {
        let transactions = self.transactions.lock();
        transactions.last().and_then(|t| t.last()).map_or(Position::START, |last| last.position)
    }

    pub fn frontier(&self) -> Lsn {
        Lsn(self.transactions.lock().len() as u64 * 100)
    }
}

/// Opens feeds of a log.
pub struct Feeds(pub Arc<Log>);

impl OpenFeed for Feeds {
    fn open(&self, start: Cut, _purpose: Purpose) -> BoxFuture<'_, Result<Box<dyn EpochFeed>>> {
        let mut seed = self.0.seed.lock();
        *seed += 1;
        let rng = ChaCha8Rng::seed_from_u64(*seed);
        let feed = Feed { log: Arc::clone(&self.0), cut: start, rng };
        async { Ok(Box::new(feed) as Box<dyn EpochFeed>) }.boxed()
    }
}

struct Feed {
    log: Arc<Log>,
    cut: Cut,
    rng: ChaCha8Rng,
}

impl EpochFeed for Feed {
    fn next_epoch(&mut self) -> BoxFuture<'_, Result<SourceEpoch>> {
        async {
            let mut length = self.log.length.subscribe();
            loop {
                length.borrow_and_update();
                if let Some(epoch) = self.cut_epoch()? {
                    return Ok(epoch);
                }
                length.changed().await.expect("the log is held");
            }
        }
        .boxed()
    }

    fn log_end(&self) -> Position {
        self.log.end()
    }
}

impl Feed {
    fn cut_epoch(&mut self) -> Result<Option<SourceEpoch>> {
        let life = self.log.life.lock();
        if self.cut.incarnation != life.incarnation && self.cut.position > Position::START {
            let reason = "the database was restored".to_owned();
            return Err(Error::PastChanged { reason, incarnation: life.incarnation });
        }
        if life.is_held {
            return Ok(None);
        }
        self.cut.incarnation = life.incarnation;
        let transactions = self.log.transactions.lock();
        let end = |t: &Vec<Logged>| t.last().expect("no empty transaction").position;
        let first = transactions.partition_point(|t| end(t) <= self.cut.position);
        let count = self.rng.random_range(1..=self.log.transactions_max);
        let chosen: Vec<_> = transactions.iter().skip(first).take(count).collect();
        let mut tables: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
        for (index, transaction) in chosen.iter().enumerate() {
            if life.orphaned.contains(&(first + index)) {
                self.cut.dead_lettered += transaction.len() as u64;
                continue;
            }
            for event in *transaction {
                tables.entry(event.table.clone()).or_default().push(event.row.clone());
            }
        }
        let events: Vec<_> = chosen.iter().copied().flatten().collect();
        let (Some(oldest), Some(newest)) = (events.first(), events.last()) else {
            return Ok(None);
        };
        self.cut.epoch += 1;
        self.cut.position = newest.position;
        self.cut.applied = newest.position.0 - self.cut.dead_lettered;
        Ok(Some(SourceEpoch {
            number: self.cut.epoch,
            first_position: oldest.position,
            last_position: newest.position,
            cut: self.cut.clone(),
            tables: tables
                .into_iter()
                .map(|(name, rows)| {
                    let rows = concat_batches(rows[0].schema_ref(), &rows).expect("one schema");
                    (Arc::from(name), rows)
                })
                .collect(),
            traceparents: vec![],
            oldest_event_at: Some(oldest.at),
            newest_event_at: Some(newest.at),
            frontier: Some((Lsn((first + chosen.len()) as u64 * 100), newest.position)),
        }))
    }
}
