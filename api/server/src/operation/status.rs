//! `GET /api/v1/status`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use millrace_views::{PipelineHandle, State as PipelineState, Status as Pipeline};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Part, health};
use crate::GatewayState;

#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    /// What the installation is called: `demo`, `production` …
    environment: String,
    /// Every event up to here is in the views.
    position: u64,
    /// The last event known to be committed.
    frontier_position: u64,
    /// Events that are committed and not in the views yet.
    lag_events: u64,
    /// How far the views are behind the commits, in milliseconds; null before the first event.
    freshness_ms: Option<u64>,
    /// Commit time of the newest event in the views.
    as_of: Option<DateTime<Utc>>,
    server_time: DateTime<Utc>,
    parts: BTreeMap<String, Part>,
}

/// How the installation fares
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "operations",
    operation_id = "read_status",
    responses((status = 200, description = "Positions, freshness and parts", body = Status))
)]
pub(super) async fn status(State(gateway): State<GatewayState>) -> Json<Status> {
    let pipeline = gateway.pipeline().map(PipelineHandle::status);
    let server_time = gateway.kernel().now();
    let position = pipeline.as_ref().map_or(0, |pipeline| pipeline.position.0);
    let frontier = pipeline.as_ref().and_then(|pipeline| pipeline.frontier_position);
    let log_end = pipeline.as_ref().map_or(0, |pipeline| pipeline.log_end.0);
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        environment: gateway.options().environment.clone(),
        position,
        frontier_position: frontier.map_or(0, |frontier| frontier.0).max(log_end),
        lag_events: pipeline.as_ref().map_or(0, |pipeline| pipeline.lag_events),
        freshness_ms: pipeline.as_ref().and_then(|pipeline| freshness_ms(pipeline, server_time)),
        as_of: pipeline.and_then(|pipeline| pipeline.as_of),
        server_time,
        parts: health::parts(&gateway).await,
    })
}

/// What the last epoch took; while events wait that are not in the views, at least their age.
fn freshness_ms(pipeline: &Pipeline, now: DateTime<Utc>) -> Option<u64> {
    let waiting = pipeline.as_of.filter(|_| pipeline.lag_events > 0);
    let waited_ms =
        waiting.map(|as_of| u64::try_from((now - as_of).num_milliseconds()).unwrap_or(0));
    pipeline.freshness_ms.max(waited_ms)
}

/// The pipeline as a part of the installation.
pub(super) fn pipeline_part(pipeline: &PipelineHandle) -> Part {
    let status = pipeline.status();
    match status.state {
        PipelineState::Starting => Part::starting("the views are being restored"),
        PipelineState::Waiting { reason } | PipelineState::Stopped { reason } => Part::down(reason),
        PipelineState::Running => {
            let stopped = status.stopped_views.iter();
            let stopped: Vec<String> =
                stopped.map(|view| format!("{}: {}", view.view, view.reason)).collect();
            Part { detail: stopped.join("; "), ..Part::ready() }
        }
    }
}
