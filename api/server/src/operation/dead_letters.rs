//! `GET /api/v1/dead-letters`, `POST /api/v1/dead-letters/replay`

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use millrace_events::Position;
use millrace_kernel::{Actor, Permission};
use millrace_source::{DeadLetter, ForeignMessage};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::{Error, GatewayState};

/// Letters shown at once, the oldest first.
const SHOWN_MAX: usize = 1000;

#[derive(Serialize, ToSchema)]
pub(super) struct DeadLetters {
    dead_letters: Vec<Shown>,
    /// Messages of the log that are no events: they can't be replayed.
    foreign: Vec<Foreign>,
}

/// A message without the relay's headers: something else wrote to the topic.
#[derive(Serialize, ToSchema)]
#[schema(as = ForeignMessage)]
struct Foreign {
    topic: String,
    partition: i32,
    offset: i64,
    reason: String,
}

/// A transaction of which an event could not be applied.
#[derive(Serialize, ToSchema)]
#[schema(as = DeadLetter)]
struct Shown {
    /// Position of its first event.
    id: u64,
    last_position: u64,
    events: usize,
    event_types: String,
    is_replayed: bool,
    /// The restored database does not have it, so that it can't be replayed.
    is_orphaned: bool,
    reason: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Replay {
    /// All that have not been replayed and are no orphans, where none is named.
    #[serde(default)]
    ids: Vec<u64>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Replayed {
    replayed: usize,
}

/// List the dead letters
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters",
    tag = "Operations",
    responses((status = 200, description = "Transactions that could not be applied and messages that are no events, with the reason", body = DeadLetters))
)]
pub(super) async fn list(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
) -> Result<Json<DeadLetters>, Error> {
    actor.require(Permission::SystemOperate, None)?;
    let store = gateway.dead_letters().ok_or(Error::PipelineAbsent)?;
    let letters = store.list(Position::START, SHOWN_MAX).await.map_err(Error::DeadLetters)?;
    let foreign = store.foreign(SHOWN_MAX).await.map_err(Error::DeadLetters)?;
    let foreign = foreign.into_iter().map(|message| {
        let ForeignMessage { topic, partition, offset, reason, .. } = message;
        Foreign { topic, partition, offset, reason }
    });
    let dead_letters = letters.iter().map(show).collect();
    Ok(Json(DeadLetters { dead_letters, foreign: foreign.collect() }))
}

/// Replay dead letters
///
/// Their events are appended to the log again, at new positions, by way of an outbox.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/replay",
    tag = "Operations",
    request_body = Replay,
    responses((status = 200, description = "How many transactions were appended again", body = Replayed))
)]
pub(super) async fn replay(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
    millrace_kernel::Json(Replay { ids }): millrace_kernel::Json<Replay>,
) -> Result<Json<Replayed>, Error> {
    actor.require(Permission::SystemOperate, None)?;
    let store = gateway.dead_letters().ok_or(Error::PipelineAbsent)?;
    let mut ids: Vec<Position> = ids.into_iter().map(Position).collect();
    if ids.is_empty() {
        let letters = store.list(Position::START, SHOWN_MAX).await.map_err(Error::DeadLetters)?;
        let open = letters.iter().filter(|letter| !letter.is_replayed && !letter.is_orphaned);
        ids.extend(open.map(|letter| letter.id));
    }
    let (pool, now) = (gateway.kernel().pool().clone(), gateway.kernel().now());
    let replayed = store.replay(&ids, |letter| append(pool.clone(), letter, now)).await;
    Ok(Json(Replayed { replayed: replayed.map_err(Error::DeadLetters)? }))
}

fn show(letter: &DeadLetter) -> Shown {
    let mut types: Vec<&str> =
        letter.events.iter().map(|event| event.event_type.as_str()).collect();
    types.dedup();
    Shown {
        id: letter.id.0,
        last_position: letter.last_position.0,
        events: letter.events.len(),
        event_types: types.join(", "),
        is_replayed: letter.is_replayed,
        is_orphaned: letter.is_orphaned,
        reason: letter.events.first().map(|event| event.reason.clone()).unwrap_or_default(),
    }
}

/// Puts the letter's events into the gateway's own outbox in one transaction, once.
async fn append(
    pool: PgPool,
    letter: DeadLetter,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(), String> {
    let position = i64::try_from(letter.id.0).map_err(|error| error.to_string())?;
    let mut tx = pool.begin().await.map_err(|error| error.to_string())?;
    let claimed = sqlx::query(
        "insert into identity.replayed_letters (position, replayed_at) values ($1, $2) \
         on conflict do nothing",
    )
    .bind(position)
    .bind(now)
    .execute(&mut *tx)
    .await;
    if claimed.map_err(|error| error.to_string())?.rows_affected() == 0 {
        // A crash came between the commit and the letter's mark.
        return Ok(());
    }
    for event in &letter.events {
        let text = |payload: &millrace_source::Payload| {
            payload.bytes().and_then(|bytes| String::from_utf8(bytes).ok())
        };
        let envelope = event.value.as_ref().and_then(text);
        let envelope = envelope.ok_or("its envelope was not kept or is not text")?;
        let key = text(&event.key).ok_or("its key is not text")?;
        let appended = sqlx::query(
            "insert into identity.outbox (recorded_at, event_id, topic, event_type, aggregate_id, traceparent, envelope) \
             values ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(now)
        .bind(event.event_id)
        .bind(&event.topic)
        .bind(&event.event_type)
        .bind(key)
        .bind(&event.traceparent)
        .bind(envelope)
        .execute(&mut *tx)
        .await;
        appended.map_err(|error| error.to_string())?;
    }
    tx.commit().await.map_err(|error| error.to_string())
}
