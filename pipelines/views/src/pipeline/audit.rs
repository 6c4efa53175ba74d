//! PIP-1, PIP-2 and OLP-1 on the running system: views against batch SQL, marts against their views,
//! all at one position.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use millrace_events::Position;
use millrace_olap::{Difference, Loader, MartKind, MartSpec, compare, difference, held};

use super::session::marts;
use super::{PipelineHandle, Published, ViewSnapshot};
use crate::{Error, Result, Tables, View, batch};

/// How long a mart may take to come to the position it is compared at.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// … and while ClickHouse does not take anything.
const FAILING_MAX: Duration = Duration::from_secs(2);

/// A live view compared with batch SQL over the log.
#[derive(Clone, Debug)]
pub struct Verified {
    pub view: String,
    pub rows: usize,
    /// "View" rows are the engine's, "mart" rows batch SQL's.
    pub difference: Difference,
}

/// A mart compared with its view.
#[derive(Clone, Debug)]
pub struct Reconciled {
    pub mart: String,
    pub difference: Difference,
}

/// Everything that is kept, compared with the log at one position.
#[derive(Debug)]
pub struct Audit {
    pub position: Position,
    /// Events that were applied and events that became dead letters, as the pipeline counted them.
    pub applied: u64,
    pub dead_lettered: u64,
    /// Positions whose events can't be applied, found by decoding the log once more.
    pub undecodable: Vec<Position>,
    /// Every live view (PIP-1).
    pub views: Vec<Verified>,
    /// Every mart but the raw ones (OLP-1), none where no marts are kept; or why ClickHouse did not tell
    /// what it holds.
    pub marts: Result<Vec<Reconciled>>,
}

/// What a mart held at the position of the audit.
struct Held {
    mart: MartSpec,
    rows: Vec<RecordBatch>,
}

/// The events up to a position, read once more.
#[derive(Default)]
struct Past {
    tables: Tables,
    undecodable: Vec<Position>,
}

impl PipelineHandle {
    /// Compares each live view and each mart with batch SQL over every event up to one position, read
    /// again from the log. The marts stand still while they are read.
    ///
    /// # Errors
    /// [`Error::LogTooShort`] when the log ends before the views, or can't be read;
    /// [`Error::PastChanged`] while views are filled again after a restore of the database.
    pub async fn audit(&self) -> Result<Audit> {
        let (published, held) = self.stand_still().await?;
        let position = published.position;
        let historic = held.iter().flatten().filter(|held| held.mart.kind == MartKind::History);
        let historic = historic.map(|held| held.mart.name.as_str());
        let registry = &published.served.registry;
        let live: Vec<Arc<View>> = published.served.live().cloned().collect();
        let names = live.iter().map(|view| view.name.as_str());
        let past = self.past(names.chain(historic), &published).await?;
        let mut audit = Audit {
            position,
            applied: published.applied,
            dead_lettered: published.dead_lettered,
            undecodable: Vec::new(),
            views: Vec::new(),
            marts: Ok(Vec::new()),
        };
        for view in &live {
            // One that has stopped says so in the status.
            let Ok(kept) = ViewSnapshot::of(&published, &view.name) else { continue };
            let found = kept.snapshot.batches()?;
            let expected = batch::answer(registry, &view.name, &past.tables).await?;
            audit.views.push(Verified {
                view: view.name.clone(),
                rows: found.iter().map(RecordBatch::num_rows).sum(),
                difference: difference(&view.schema, &found, &expected)?,
            });
        }
        audit.marts = match held {
            Ok(held) => self.reconcile(&published, held, &past).await.map(Ok)?,
            Err(error) => Err(error),
        };
        audit.undecodable = past.undecodable;
        Ok(audit)
    }

    async fn reconcile(
        &self,
        published: &Published,
        held: Vec<Held>,
        past: &Past,
    ) -> Result<Vec<Reconciled>> {
        let mut reconciled = Vec::with_capacity(held.len());
        for Held { mart, rows } in held {
            let view = match ViewSnapshot::of(published, &mart.name) {
                Ok(kept) => kept.snapshot.batches()?,
                Err(Error::NotServed { .. }) => {
                    batch::answer(&published.served.registry, &mart.name, &past.tables).await?
                }
                Err(error) => return Err(error),
            };
            let difference = compare(&mart, &rows, &view)?;
            reconciled.push(Reconciled { mart: mart.name, difference });
        }
        Ok(reconciled)
    }

    /// The latest epoch, and what each mart held at it.
    async fn stand_still(&self) -> Result<(Arc<Published>, Result<Vec<Held>>)> {
        let Some(loader) = self.loader() else { return Ok((self.published()?, Ok(Vec::new()))) };
        let mut hold = loader.hold();
        // Rows are queued after they are published: what is published is at or behind the hold.
        let published = self.published()?;
        hold.move_to(published.position);
        let held = self.hold_marts(&loader, published.position).await;
        Ok((published, held))
    }

    /// What each mart holds, once all have come to `position`, beyond which they may not go.
    async fn hold_marts(&self, loader: &Loader, position: Position) -> Result<Vec<Held>> {
        let is_failing = loader.status().failing.is_some();
        let patience = if is_failing { FAILING_MAX } else { SETTLE_MAX };
        loader.wait_for(position, patience).await?;
        let (clickhouse, database) = loader.clickhouse();
        let mut all = Vec::new();
        for mart in marts(&self.registry()).into_iter().filter(|mart| mart.kind != MartKind::Raw) {
            let rows = held(clickhouse, database, &mart).await?;
            all.push(Held { mart, rows });
        }
        Ok(all)
    }

    /// The events that `views` depend on, up to what is published.
    async fn past(&self, views: impl Iterator<Item = &str>, published: &Published) -> Result<Past> {
        let mut wanted = BTreeSet::new();
        for name in views {
            for view in published.served.registry.closure(name)? {
                wanted.extend(view.reads.iter().cloned());
            }
        }
        let mut past = Past::default();
        self.replay(published, |piece| {
            past.undecodable.extend(piece.lacks());
            for (event, rows) in piece.tables {
                if wanted.contains(&*event) {
                    past.tables.entry(event.to_string()).or_default().push(rows);
                }
            }
            Ok(())
        })
        .await?;
        Ok(past)
    }
}
