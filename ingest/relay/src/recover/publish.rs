//! Carrying out a plan.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use millrace_events::{EventId, Frontier, Position};
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use uuid::Uuid;

use crate::log::message::Place;
use crate::log::publish::{Publisher, Report};
use crate::log::read;
use crate::log::topics::TopicInfo;
use crate::pgoutput::OutboxRow;
use crate::postgres::{failed, inspect};
use crate::recover::plan::{Plan, PlannedRow};
use crate::relay::blocking;
use crate::{End, Ends, Error, LastEvent, Mark, Pair, RelayOptions, StateDir};

/// Rows read and published in one go.
const CHUNK: usize = 1000;
/// How long Kafka may take to acknowledge the frontier at the end.
const TELL_MAX: Duration = Duration::from_secs(30);

/// Publishes the plan's rows, makes the pair durable and forgets the plan. Doing it again after a
/// crash sends the same events with the same positions.
pub(crate) async fn finish(
    options: &RelayOptions,
    topics: &[TopicInfo],
    pool: &PgPool,
    state: &Arc<StateDir>,
    plan: Plan,
) -> Result<Pair, Error> {
    let mut publisher = Publisher::new(options)?;
    for &place in &plan.tombstones {
        publisher.fill(place).await?;
    }
    settle(&mut publisher, plan.tombstones.len()).await?;
    let m = plan.rows.len() as u64;
    let mut place = Place { position: plan.first, lsn: plan.lsn, n: 1, m };
    let mut last = None;
    for chunk in plan.rows.chunks(CHUNK) {
        let rows = load(pool, state, chunk).await?;
        for row in &rows {
            publisher.event(row, place).await?;
            place = Place { position: place.position.next(), n: place.n + 1, ..place };
        }
        settle(&mut publisher, rows.len()).await?;
        last = chunk.last();
    }
    let last = last.or(plan.newest.as_ref()).map(|row| LastEvent {
        schema: row.schema.clone(),
        event_id: row.event_id,
        recorded_at: row.recorded_at.clone(),
    });
    let (asked, of) = (options.clone(), topics.to_vec());
    let ends = blocking(move || ends(&asked, &of)).await?;
    let position = Position(place.position.0 - 1);
    // Readers learn of a new incarnation before its first event: its LSNs may be lower than the last told.
    publisher.frontier(&Frontier {
        lsn: plan.lsn,
        position,
        at: (options.clock)(),
        incarnation: plan.incarnation,
        orphaned: plan.orphaned.clone(),
    })?;
    publisher.flush(TELL_MAX).await?;
    let mark = Mark { lsn: plan.lsn, position, ends, last };
    let pair = Pair {
        system_id: plan.system_id,
        timeline: plan.timeline,
        slot: plan.slot,
        incarnation: plan.incarnation,
        orphaned: plan.orphaned,
        durable: mark.clone(),
        confirmed: mark,
    };
    let (dir, stored) = (Arc::clone(state), pair.clone());
    blocking(move || {
        dir.store_pair(&stored)?;
        dir.remove(Plan::FILE)
    })
    .await?;
    Ok(pair)
}

/// Waits until Kafka has acknowledged that many messages.
async fn settle(publisher: &mut Publisher, mut outstanding: usize) -> Result<(), Error> {
    while outstanding > 0 {
        match publisher.reports.recv().await {
            Some(Report::Landed(_)) => outstanding -= 1,
            Some(Report::Refused { position, event_id, message, .. }) => {
                publisher.tombstone(position, event_id, message).await?;
            }
            Some(Report::Failed(error)) => return Err(publisher.failure(error)),
            None => return Err(Error::Task { detail: "the producer has ended".into() }),
        }
    }
    Ok(())
}

#[derive(FromRow)]
struct Found {
    recorded_at: String,
    event_id: EventId,
    topic: String,
    event_type: String,
    aggregate_id: String,
    traceparent: Option<String>,
    envelope: String,
}

/// The planned rows, whole, in the plan's order.
async fn load(
    pool: &PgPool,
    state: &StateDir,
    planned: &[PlannedRow],
) -> Result<Vec<OutboxRow>, Error> {
    let mut by_schema: BTreeMap<&str, Vec<&PlannedRow>> = BTreeMap::new();
    for row in planned {
        by_schema.entry(&row.schema).or_default().push(row);
    }
    let mut found = HashMap::new();
    for (schema, rows) in by_schema {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.event_id.0).collect();
        // The planned rows are in the order of recording: the range keeps other partitions out.
        let sql = format!(
            "select recorded_at::text, event_id, topic, event_type, aggregate_id, traceparent, envelope
               from {}.outbox
              where event_id = any($1) and recorded_at between $2::timestamptz and $3::timestamptz",
            inspect::quoted(schema)
        );
        let rows: Vec<Found> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(ids)
            .bind(rows.first().map(|row| &row.recorded_at))
            .bind(rows.last().map(|row| &row.recorded_at))
            .fetch_all(pool)
            .await
            .map_err(failed("read outbox rows"))?;
        found.extend(rows.into_iter().map(|row| (row.event_id, row)));
    }
    planned
        .iter()
        .map(|planned| {
            let row = found.remove(&planned.event_id).ok_or_else(|| Error::PlanStale {
                path: state.path(Plan::FILE),
                schema: planned.schema.clone(),
                event_id: planned.event_id,
            })?;
            Ok(OutboxRow {
                schema: planned.schema.clone(),
                recorded_at: row.recorded_at,
                event_id: row.event_id,
                topic: row.topic,
                event_type: row.event_type,
                aggregate_id: row.aggregate_id,
                traceparent: row.traceparent,
                envelope: Bytes::from(row.envelope),
            })
        })
        .collect()
}

/// The last message of each partition.
fn ends(options: &RelayOptions, topics: &[TopicInfo]) -> Result<Ends, Error> {
    let mut ends = Ends::default();
    read::last(options, topics, |found| {
        let (offset, position, event_id) = (found.offset, found.place.position, found.event_id);
        ends.set(found.topic, found.partition, End { offset, position, event_id });
        Ok(())
    })?;
    Ok(ends)
}
