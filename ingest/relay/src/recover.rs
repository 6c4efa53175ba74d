//! The remedies: what to do when replication can't go on from the pair.
//!
//! Each makes a new slot whose exported snapshot shows what was committed before the slot's start,
//! lists that snapshot's outbox rows that the log lacks, and publishes them as one transaction,
//! ordered per aggregate. The list is durable before the first of them is sent, so that a crash in
//! between is finished with the same positions by whoever starts next. No relay may be running.

mod found;
mod gaps;
mod life;
mod orphans;
mod plan;
mod publish;
mod snapshot;
mod survey;

use std::path::PathBuf;
use std::sync::Arc;

use millrace_events::{Lsn, Position};
use sqlx::PgPool;

use crate::log::read;
use crate::log::topics::{self, TopicInfo};
use crate::postgres::{self, admit, inspect, slot};
use crate::relay::blocking;
use crate::{Error, Pair, RelayOptions, StateDir};
use found::Found;
use life::{Life, Restored};
use plan::Plan;
use survey::Survey;

/// What a remedy did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub incarnation: u32,
    /// The new slot starts here.
    pub lsn: Lsn,
    /// The last position there is now.
    pub position: Position,
    /// Outbox rows that were published because the log lacked them.
    pub published: u64,
    /// Positions that had to be filled with tombstones.
    pub tombstones: u64,
    /// Events of the log that the restored database does not have, one JSON line each.
    pub orphans: Option<Orphans>,
}

/// Where orphaned events are listed. Views are rebuilt without them: the frontier tells their positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphans {
    pub file: PathBuf,
    pub events: u64,
}

/// The slot was lost, invalidated, or is ahead of the pair: goes on with a new slot.
///
/// # Errors
/// [`Error::StateLocked`] while a relay runs; [`Error::ServerReplaced`], [`Error::TimelineChanged`],
/// [`Error::ServerRestored`], [`Error::EventGone`] or [`Error::TailGone`] when the database is not the
/// one that the log was written from, which is a case for [`new_incarnation`].
pub async fn lost_slot(options: &RelayOptions) -> Result<Recovered, Error> {
    let Opened { state, pool, topics, mut pair } = open(options, StalePlan::Refused).await?;
    if let Some(pair) = &mut pair {
        let server = inspect::server(&pool, &options.slot, &options.publication).await?;
        admit::same_server(pair, &server)?;
        if let Some(event) = pair.durable.last.clone()
            && !inspect::has_event(&pool, &event).await?
        {
            let (schema, event_id) = (event.schema, event.event_id);
            return Err(Error::EventGone { schema, event_id, position: pair.durable.position });
        }
    }
    // The pair vouches for what was sent by then. It may be lost, or as old as the backup.
    let vouched = pair.as_ref().map(|pair| (pair.incarnation, pair.durable.position));
    look(options, &topics, &pool, pair.clone(), move |log, life| {
        let vouched = vouched.filter(|(incarnation, _)| *incarnation == life.incarnation);
        let vouched = vouched.map_or(Position::START, |(_, position)| position);
        match log.newest_absent(&life.orphaned).filter(|position| *position > vouched) {
            Some(position) => Err(Error::TailGone { position }),
            None => Ok(()),
        }
    })
    .await?;
    rebuild(options, &topics, &pool, &state, Task { pair, restored: None }).await
}

/// How far a restored database goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestorePoint {
    /// As far as its outbox goes along with the log.
    Outbox,
    /// Up to this position, for a database whose outbox has nothing of the log.
    Position(Position),
}

/// The database was restored from a backup, or replaced: goes on with it under a new incarnation.
/// Events of the log that it does not have are orphans: they are listed, and every frontier from now on
/// tells their positions, so that readers of the log start over and leave them out.
///
/// # Errors
/// [`Error::StateLocked`] while a relay runs, [`Error::RestorePointUnknown`],
/// [`Error::RestorePointKnown`].
pub async fn new_incarnation(
    options: &RelayOptions,
    restored_to: RestorePoint,
) -> Result<Recovered, Error> {
    let Opened { state, pool, topics, pair } = open(options, StalePlan::Dropped).await?;
    // Before anything is touched: a wrong word must not cost the slot.
    let restored = look(options, &topics, &pool, pair.clone(), move |log, life| {
        orphans::restore_point(log, &life.orphaned, restored_to)
    })
    .await?;
    rebuild(options, &topics, &pool, &state, Task { pair, restored: Some(restored) }).await
}

/// Compares the log with what the outboxes have now.
async fn look<T: Send + 'static>(
    options: &RelayOptions,
    topics: &[TopicInfo],
    pool: &PgPool,
    pair: Option<Pair>,
    judge: impl FnOnce(&Found, &Life) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let rows = snapshot::rows(pool, &options.publication, None).await?;
    let (asked, of) = (options.clone(), topics.to_vec());
    blocking(move || {
        let life = Life::known(pair, read::frontier(&asked)?);
        judge(&Found::read(&asked, &of, &rows)?, &life)
    })
    .await
}

/// The first start of all: a slot, and whatever the outboxes have already.
pub(crate) async fn begin(
    options: &RelayOptions,
    topics: &[TopicInfo],
    pool: &PgPool,
    state: &Arc<StateDir>,
) -> Result<Pair, Error> {
    rebuild(options, topics, pool, state, Task { pair: None, restored: None }).await?;
    state.load_pair()?.ok_or_else(|| Error::Task { detail: "no pair after the first start".into() })
}

/// Finishes what a crash interrupted. The pair it leads to, if there was something.
pub(crate) async fn pending(
    options: &RelayOptions,
    topics: &[TopicInfo],
    pool: &PgPool,
    state: &Arc<StateDir>,
) -> Result<Option<Pair>, Error> {
    let Some(plan) = state.load::<Plan>(Plan::FILE)? else { return Ok(None) };
    tracing::info!(rows = plan.rows.len(), "an interrupted recovery is finished first");
    publish::finish(options, topics, pool, state, plan).await.map(Some)
}

struct Opened {
    state: Arc<StateDir>,
    pool: PgPool,
    topics: Vec<TopicInfo>,
    pair: Option<Pair>,
}

/// What becomes of an interrupted recovery whose rows the database does not have any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StalePlan {
    Refused,
    /// The database was restored once more since. What was sent of it is an orphan like any other.
    Dropped,
}

async fn open(options: &RelayOptions, stale: StalePlan) -> Result<Opened, Error> {
    let state = Arc::new(StateDir::lock(&options.state_dir)?);
    let pool = postgres::pool(options)?;
    let server = inspect::server(&pool, &options.slot, &options.publication).await?;
    admit::publication(&server, options)?;
    // What a running relay sends meanwhile would look like what the database lacks.
    slot::wait_until_idle(&pool, &options.slot).await?;
    let topics = topics::ensure(options).await?;
    match pending(options, &topics, &pool, &state).await {
        Err(Error::PlanStale { .. }) if stale == StalePlan::Dropped => state.remove(Plan::FILE)?,
        finished => drop(finished?),
    }
    let pair = state.load_pair()?;
    Ok(Opened { state, pool, topics, pair })
}

struct Task {
    /// What was durable, if it still is.
    pair: Option<Pair>,
    /// The database was restored, and has what is in the log up to here.
    restored: Option<Restored>,
}

async fn rebuild(
    options: &RelayOptions,
    topics: &[TopicInfo],
    pool: &PgPool,
    state: &Arc<StateDir>,
    task: Task,
) -> Result<Recovered, Error> {
    slot::drop_existing(pool, &options.slot).await?;
    let exported = slot::create(options).await?;
    let server = inspect::server(pool, &options.slot, &options.publication).await?;
    let rows = snapshot::rows(pool, &options.publication, Some(&exported.snapshot)).await?;
    let lsn = exported.start;
    drop(exported);

    let (asked, of, dir) = (options.clone(), topics.to_vec(), Arc::clone(state));
    let (plan, orphans) = blocking(move || {
        let Survey { life, orphans, last, tombstones, lacking, newest } =
            survey::survey(&asked, &of, &dir, task, rows)?;
        let plan = Plan {
            system_id: server.system_id,
            timeline: server.timeline,
            slot: asked.slot.clone(),
            incarnation: life.incarnation,
            orphaned: life.orphaned,
            lsn,
            first: last.next(),
            tombstones,
            rows: lacking,
            newest,
        };
        dir.store(Plan::FILE, &plan)?;
        Ok((plan, orphans))
    })
    .await?;
    let (published, tombstones) = (plan.rows.len() as u64, plan.tombstones.len() as u64);
    let pair = publish::finish(options, topics, pool, state, plan).await?;
    let Pair { incarnation, durable, .. } = pair;
    let position = durable.position;
    tracing::info!(%lsn, %position, published, tombstones, incarnation, "the relay has a new slot");
    Ok(Recovered { incarnation, lsn, position, published, tombstones, orphans })
}
