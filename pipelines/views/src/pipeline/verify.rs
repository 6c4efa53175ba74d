//! PIP-1 and OLP-1 on the running system: a view against batch SQL, a mart against its view.

use std::collections::BTreeSet;
use std::time::Duration;

use arrow::array::RecordBatch;
use millrace_events::Position;
use millrace_olap::{Difference, MartKind, MartSpec, compare, difference};
use millrace_source::Cut;
use serde::Serialize;

use super::PipelineHandle;
use super::feed::Purpose;
use super::session::marts;
use super::split;
use crate::{Error, Result, Tables, batch};

/// How long a mart may take to come to the position it is compared at.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// How long an epoch that should be in the log is waited for.
const READ_MAX: Duration = Duration::from_secs(30);

/// A live view compared with batch SQL over the log.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    pub view: String,
    pub position: Position,
    pub rows: usize,
    /// "View" rows are the engine's, "mart" rows batch SQL's.
    pub difference: Difference,
}

/// A mart compared with its view.
#[derive(Clone, Debug, Serialize)]
pub struct Reconciled {
    pub mart: String,
    pub position: Position,
    pub difference: Difference,
}

impl PipelineHandle {
    /// Compares a live view with batch SQL over every event up to the same position, read again from
    /// the log (PIP-1).
    ///
    /// # Errors
    /// The view is not live, or the log can't be read.
    pub async fn verify(&self, name: &str) -> Result<Verified> {
        let verified = self.verify_all(&[name]).await?.pop();
        Ok(verified.expect("one view in, one out"))
    }

    /// As [`Self::verify`] for several views at one position; the log is read once.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub async fn verify_all(&self, names: &[&str]) -> Result<Vec<Verified>> {
        let views = self.snapshots(names)?;
        let position = views.first().map(|view| view.position).unwrap_or_default();
        let tables = self.events_up_to(names, position).await?;
        let mut verified = Vec::with_capacity(names.len());
        for (name, view) in names.iter().zip(views) {
            let expected = batch::answer(self.registry(), name, &tables).await?;
            let found = view.snapshot.batches()?;
            let rows = found.iter().map(RecordBatch::num_rows).sum();
            let schema = &self.registry().get(name)?.schema;
            let difference = difference(schema, &found, &expected)?;
            verified.push(Verified { view: (*name).to_owned(), position, rows, difference });
        }
        Ok(verified)
    }

    /// The events that `names` depend on, up to `position`, from the log.
    async fn events_up_to(&self, names: &[&str], position: Position) -> Result<Tables> {
        let mut wanted = BTreeSet::new();
        for name in names {
            for view in self.registry().closure(name)? {
                wanted.extend(view.reads.iter().cloned());
            }
        }
        let mut tables = Tables::new();
        let mut read = Position::START;
        let ends = [position].into();
        if position == Position::START {
            return Ok(tables);
        }
        let mut feed = self.hub.feeds.open(Cut::default(), Purpose::Verify).await?;
        while read < position {
            let epoch = tokio::time::timeout(READ_MAX, feed.next_epoch()).await;
            let epoch = epoch.map_err(|_| Error::LogTooShort { position, end: read })??;
            if epoch.is_empty() {
                continue;
            }
            let pieces = split::at(&epoch, &ends);
            for piece in pieces.into_iter().filter(|piece| piece.last <= position) {
                for (event, rows) in piece.tables {
                    if wanted.contains(&*event) {
                        tables.entry(event.to_string()).or_default().push(rows);
                    }
                }
                read = piece.last;
            }
        }
        Ok(tables)
    }

    /// Compares a mart with its view at one position (OLP-1). The marts stand still meanwhile. A
    /// history mart is compared with batch SQL over the log; raw tables are not compared.
    ///
    /// # Errors
    /// No marts are kept, the view has none, or ClickHouse does not get there in 30 s.
    pub async fn reconcile(&self, name: &str) -> Result<Reconciled> {
        let unknown = || millrace_olap::Error::UnknownMart { mart: name.to_owned() };
        let loader = self.loader().ok_or_else(unknown)?;
        let mart = marts(self.registry()).into_iter().find(|mart| mart.name == name);
        let mart: MartSpec = mart.filter(|mart| mart.kind != MartKind::Raw).ok_or_else(unknown)?;
        let mut hold = loader.hold();
        // Rows are queued after they are published: what is published is at or behind the hold.
        let is_live = self.hub.live.contains_key(name);
        let (position, rows) = if is_live {
            let view = self.snapshot(name)?;
            hold.move_to(view.position);
            (view.position, view.snapshot.batches()?)
        } else {
            let position = self.published()?.position;
            hold.move_to(position);
            let tables = self.events_up_to(&[name], position).await?;
            (position, batch::answer(self.registry(), name, &tables).await?)
        };
        loader.wait_for(position, SETTLE_MAX).await?;
        let (clickhouse, database) = loader.clickhouse();
        let difference = compare(clickhouse, database, &mart, &rows).await?;
        Ok(Reconciled { mart: name.to_owned(), position, difference })
    }
}
