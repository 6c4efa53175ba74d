//! `GET /api/v1/views/{name}/stream`

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, Query as Pairs, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use millrace_kernel::{Actor, Problem};
use millrace_views::StreamPlace;

use super::follow::{Follower, follow};
use super::scope;
use crate::{Error, GatewayState};

const LAST_EVENT_ID: &str = "last-event-id";

/// Follow a view
///
/// Server-sent events, each with an `id` to go on from: the position, and after restores of the database
/// `<position>.<incarnation>`:
///
/// `snapshot` `{view, position, as_of, key, columns, rows}`: all rows under the filter.
/// `change` `{position, as_of, upserts, deletes}`: whole rows to put and keys to drop.
/// `heartbeat` `{position, as_of, server_time}` every second: everything up to there has been sent.
/// `reset` `{reason}`: changes were missed, drop what you have; a snapshot follows.
///
/// With `Last-Event-ID` the stream goes on behind that event while the changes are retained, else it
/// begins with `reset`. A stream ends when the view is dropped or given another definition, and after 15 minutes at the latest, so that it never outlives
/// the right to read by long: connect again with the last id.
///
/// Parameters are columns and the values they must have, as in reading a view.
#[utoipa::path(
    get,
    path = "/api/v1/views/{name}/stream",
    tag = "views",
    operation_id = "follow_view",
    params(
        ("name" = String, Path, description = "Name of a view with `serve: live`"),
        ("Last-Event-ID" = Option<String>, Header, description = "Go on behind this event, by its `id`"),
    ),
    responses(
        (status = 200, description = "The events", body = String, content_type = "text/event-stream"),
        (status = 400, description = "`column_unknown`, `value_unreadable`, `parameter_unreadable`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`shop_forbidden`, `forbidden`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_view`, `view_not_served`", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`streams_taken`: too many at once", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn stream(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
    Path(name): Path<String>,
    Pairs(columns): Pairs<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let pipeline = gateway.require_pipeline()?;
    let subscription = pipeline.subscribe(&name, last_event(&headers)?)?;
    let view = Arc::clone(subscription.view());
    let filter = scope::filter(&actor, &view, &view.schema, &columns)?;
    let slot = gateway.streams().take(actor.user_id)?;
    let follower = Follower::new(&gateway, pipeline.clone(), view, filter, subscription, slot)?;
    let events = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    // Proxies that would gather the events into larger pieces are asked not to.
    let at_once = [("x-accel-buffering", "no")];
    Ok((events, at_once, Body::from_stream(follow(follower))).into_response())
}

/// What a client has everything up to; none when it begins, or begins again.
fn last_event(headers: &HeaderMap) -> Result<Option<StreamPlace>, Error> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Error::ParameterUnreadable {
        field: "Last-Event-ID",
        value: text.to_owned(),
        wanted: "send back the id of the last event as it came",
    })
}
