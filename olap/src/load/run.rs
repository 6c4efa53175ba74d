//! The loader's task: takes batches, inserts them, tries again while ClickHouse is away.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use metrics::{counter, gauge, histogram};
use millrace_events::Position;
use parking_lot::Mutex;

use super::fill::{self, Filling};
use super::queue::{Batch, Queue};
use super::{BatchLog, BatchRange, Start, batch};
use crate::ddl::quote;
use crate::progress::{self, Arrived};
use crate::{Clickhouse, Error, LoaderOptions, MartSpec, Result};

pub(super) struct Run {
    options: LoaderOptions,
    marts: Vec<MartSpec>,
    lineage: String,
    log: Arc<Mutex<Box<dyn BatchLog>>>,
    noted: Option<BatchRange>,
    clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    clickhouse: Clickhouse,
    queue: Arc<Queue>,
}

impl Run {
    pub fn new(
        options: LoaderOptions,
        marts: Vec<MartSpec>,
        start: Start,
        clickhouse: Clickhouse,
        queue: Arc<Queue>,
    ) -> Self {
        let log = Arc::new(Mutex::new(start.log));
        let Start { lineage, clock, .. } = start;
        Self { options, marts, lineage, log, noted: None, clock, clickhouse, queue }
    }

    pub async fn run(mut self) {
        let mut fillings: Option<Vec<Filling>> = None;
        let mut pause = self.options.retry_pause;
        loop {
            match self.turn(&mut fillings).await {
                Ok(true) => pause = self.options.retry_pause,
                Ok(false) => return,
                Err(error) if error.is_retryable() => {
                    if self.queue.is_closed() {
                        return;
                    }
                    tracing::warn!(%error, pause_ms = pause.as_millis(), "marts wait");
                    counter!("millrace_mart_failures_total").increment(1);
                    self.queue.failing(error.to_string());
                    // What ClickHouse holds is asked again: it may have come back without its data.
                    fillings = None;
                    self.wait(pause).await;
                    pause = (pause * 2).min(self.options.retry_pause_max);
                }
                Err(error) => {
                    tracing::error!(%error, "the mart loader stops");
                    return self.queue.fail(error);
                }
            }
        }
    }

    async fn wait(&self, pause: Duration) {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.queue.closed() => {}
        }
    }

    /// One batch; `false` when there will be no more.
    async fn turn(&mut self, fillings: &mut Option<Vec<Filling>>) -> Result<bool> {
        let ready = match fillings {
            Some(ready) => ready,
            None => fillings.insert(self.prepare().await?),
        };
        let Some(batch) = self.queue.next_batch().await else { return Ok(false) };
        self.note(batch.range).await?;
        let started = tokio::time::Instant::now();
        self.send(ready, &batch).await?;
        self.queue.acknowledge(batch.range.last);
        histogram!("millrace_mart_batch_seconds").record(started.elapsed().as_secs_f64());
        histogram!("millrace_mart_wait_seconds").record(batch.since.elapsed().as_secs_f64());
        gauge!("millrace_mart_position").set(batch.range.last.0 as f64);
        Ok(true)
    }

    async fn prepare(&self) -> Result<Vec<Filling>> {
        let fillings =
            fill::prepare(&self.clickhouse, &self.options, &self.marts, &self.lineage).await?;
        let from = self.queue.acknowledged();
        if let Some(behind) = fillings.iter().find(|filling| filling.position < from) {
            let mart = behind.spec.name.clone();
            return Err(Error::Behind { mart, held: behind.position, from });
        }
        Ok(fillings)
    }

    async fn note(&mut self, range: BatchRange) -> Result<()> {
        if self.noted == Some(range) {
            return Ok(());
        }
        let log = Arc::clone(&self.log);
        let noted = tokio::task::spawn_blocking(move || log.lock().note(range)).await;
        let refused = |reason: String| Error::BatchLog { position: range.last, reason };
        noted.map_err(|error| refused(error.to_string()))?.map_err(|e| refused(e.to_string()))?;
        self.noted = Some(range);
        Ok(())
    }

    async fn send(&self, fillings: &mut [Filling], batch: &Batch) -> Result<()> {
        let BatchRange { first, last } = batch.range;
        let database = quote(&self.options.connection.database);
        for filling in fillings.iter().filter(|filling| filling.position < last) {
            let Some(rows) = batch::rows(&filling.spec, &batch.epochs, filling.position)? else {
                continue;
            };
            let count = rows.num_rows() as u64;
            let table = format!("{database}.{}", quote(&filling.table));
            let parts = batch::parts(rows, self.options.part_rows_max)?;
            for (part, rows) in parts.iter().enumerate() {
                let token =
                    format!("{}/{}/{first}-{last}/{part}", filling.spec.name, filling.identity);
                self.clickhouse.insert(&table, rows, &token).await?;
            }
            counter!("millrace_mart_rows_total", "mart" => filling.spec.name.clone())
                .increment(count);
        }
        self.arrived(fillings, batch, last).await?;
        for filling in fillings.iter_mut().filter(|filling| filling.is_ready_to_replace()) {
            fill::replace(&self.clickhouse, &self.options, filling).await?;
        }
        Ok(())
    }

    /// The progress rows: written last, so that what they say is there.
    async fn arrived(&self, fillings: &mut [Filling], batch: &Batch, last: Position) -> Result<()> {
        let Some(newest) = batch.epochs.last() else { return Ok(()) };
        let moved: Vec<&mut Filling> =
            fillings.iter_mut().filter(|filling| filling.position < last).collect();
        let names: Vec<(String, String)> = moved
            .iter()
            .map(|filling| (filling.spec.name.clone(), filling.identity.clone()))
            .collect();
        if names.is_empty() {
            return Ok(());
        }
        let arrived = Arrived {
            position: last,
            epoch: newest.epoch,
            frontier: newest.frontier,
            as_of: newest.as_of,
            loaded_at: (self.clock)(),
        };
        let database = &self.options.connection.database;
        progress::write(&self.clickhouse, database, &names, &arrived).await?;
        for filling in moved {
            filling.position = last;
        }
        Ok(())
    }
}
