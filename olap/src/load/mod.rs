//! The loader: epochs in, marts kept.

mod batch;
mod fill;
mod queue;
mod run;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_events::Position;
use serde::Serialize;
use tokio::task::JoinHandle;

use crate::{Clickhouse, Error, LoadEpoch, LoaderOptions, MartSpec, Result};
use queue::Queue;

/// Positions that are sent together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRange {
    pub first: Position,
    pub last: Position,
}

/// Where the range of a batch is made durable before it is sent. After a crash the ranges noted come
/// back as [`Start::noted`], so that what is sent again is cut in the same places.
pub trait BatchLog: Send {
    /// # Errors
    /// The range could not be made durable; it is tried again before anything is sent.
    fn note(&mut self, range: BatchRange) -> io::Result<()>;
}

/// Notes nothing: for a loader whose epochs never come twice.
#[derive(Clone, Copy, Debug)]
pub struct NoLog;

impl BatchLog for NoLog {
    fn note(&mut self, _range: BatchRange) -> io::Result<()> {
        Ok(())
    }
}

/// Where a loader begins.
pub struct Start {
    /// The first epoch that will be enqueued begins behind this position.
    pub from: Position,
    /// Epochs up to `from` that may not have arrived, oldest first, without a gap.
    pub unsent: Vec<LoadEpoch>,
    /// Ranges noted before.
    pub noted: Vec<BatchRange>,
    /// Names the log that positions count in, and behind a dot the life of the database whose events
    /// count. A mart filled from another one is filled anew; of the same log in another life, the old one
    /// stays in place until the new one is as far.
    pub lineage: String,
    pub log: Box<dyn BatchLog>,
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
}

impl fmt::Debug for Start {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Start")
            .field("from", &self.from)
            .field("unsent", &self.unsent.len())
            .field("noted", &self.noted)
            .field("lineage", &self.lineage)
            .finish_non_exhaustive()
    }
}

/// How far the loader is.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoaderStatus {
    /// Every mart includes all events up to here.
    pub acknowledged: Position,
    pub queued_epochs: usize,
    pub queued_rows: usize,
    /// How long the oldest epoch has been waiting, in milliseconds.
    pub oldest_wait_ms: u64,
    /// Why the last attempt failed, while it is tried again.
    pub failing: Option<String>,
}

/// Keeps the marts. Cheap to clone; all clones are the same loader.
#[derive(Clone)]
pub struct Loader {
    queue: Arc<Queue>,
    clickhouse: Clickhouse,
    database: Arc<str>,
    shutdown_wait: Duration,
    task: Arc<parking_lot::Mutex<Option<JoinHandle<()>>>>,
}

impl fmt::Debug for Loader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Loader").field("status", &self.status()).finish_non_exhaustive()
    }
}

impl Loader {
    /// Starts loading `marts`. ClickHouse need not be there yet: epochs queue up until it is.
    #[must_use]
    pub fn start(options: LoaderOptions, marts: Vec<MartSpec>, start: Start) -> Self {
        let clickhouse = Clickhouse::new(&options.connection, options.request_timeout);
        let database: Arc<str> = options.connection.database.as_str().into();
        let queue = Arc::new(Queue::new(&options, &start));
        let shutdown_wait = options.shutdown_wait;
        let run = run::Run::new(options, marts, start, clickhouse.clone(), Arc::clone(&queue));
        let task = tokio::spawn(run.run());
        let task = Arc::new(parking_lot::Mutex::new(Some(task)));
        Self { queue, clickhouse, database, shutdown_wait, task }
    }

    /// Hands over the next epoch. Waits while too many rows are unsent.
    ///
    /// # Errors
    /// What stopped the loader for good.
    pub async fn enqueue(&self, epoch: LoadEpoch) -> Result<()> {
        self.queue.push(epoch).await
    }

    /// The epochs that may not have arrived, oldest first.
    #[must_use]
    pub fn unsent(&self) -> Vec<Arc<LoadEpoch>> {
        self.queue.unsent()
    }

    #[must_use]
    pub fn acknowledged(&self) -> Position {
        self.queue.acknowledged()
    }

    #[must_use]
    pub fn status(&self) -> LoaderStatus {
        self.queue.status()
    }

    /// The connection the marts can be read with, and their database.
    #[must_use]
    pub fn clickhouse(&self) -> (&Clickhouse, &str) {
        (&self.clickhouse, &self.database)
    }

    /// Waits until every mart includes `position`.
    ///
    /// # Errors
    /// [`Error::Clickhouse`] of the last attempt when that takes longer than `timeout`, or what
    /// stopped the loader.
    pub async fn wait_for(&self, position: Position, timeout: Duration) -> Result<()> {
        let reached = self.queue.wait_acknowledged(position);
        match tokio::time::timeout(timeout, reached).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Clickhouse {
                action: format!(
                    "waiting for position {position}, marts are at {}",
                    self.acknowledged()
                ),
                source: clickhouse::error::Error::TimedOut,
            }),
        }
    }

    /// Waits until the loader has stopped for good, and tells why.
    pub async fn failed(&self) -> Error {
        self.queue.failed().await
    }

    /// Lets no batch begin that passes what is being sent now, and gives that position. The marts
    /// stand still once [`Self::wait_for`] has reached it, until the guard moves or is dropped.
    #[must_use]
    pub fn hold(&self) -> Hold {
        Hold { position: self.queue.hold_now(), queue: Arc::clone(&self.queue) }
    }

    /// Sends what is queued, as far as ClickHouse is there, and stops.
    pub async fn shutdown(&self) {
        self.queue.close();
        let Some(mut task) = self.task.lock().take() else { return };
        match tokio::time::timeout(self.shutdown_wait, &mut task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "the mart loader ended badly"),
            Err(_) => {
                let queued = self.status().queued_epochs;
                tracing::warn!(
                    queued,
                    "the marts lack what is queued; it is sent after the next start"
                );
                task.abort();
            }
        }
    }
}

/// Keeps the marts at one position while they are compared.
#[derive(Debug)]
pub struct Hold {
    position: Position,
    queue: Arc<Queue>,
}

impl Hold {
    /// The furthest the marts may be.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Lets the marts go on up to `position`, the end of an epoch.
    pub fn move_to(&mut self, position: Position) {
        self.position = position;
        self.queue.hold_at(position);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.queue.release();
    }
}
