//! `GET /healthz/live`: the process runs. `GET /healthz`, `/healthz/ready`: all its parts work.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use millrace_kernel::Kernel;
use serde::Serialize;

use super::status::pipeline_part;
use super::{Part, PartState};
use crate::GatewayState;

/// A probe gets its answer before it gives up itself.
const DATABASE_PATIENCE: Duration = Duration::from_secs(1);

#[derive(Serialize)]
pub(super) struct Health {
    state: PartState,
    parts: BTreeMap<String, Part>,
}

pub(super) async fn live() -> StatusCode {
    StatusCode::OK
}

pub(super) async fn ready(State(gateway): State<GatewayState>) -> (StatusCode, Json<Health>) {
    let parts = parts(&gateway).await;
    let states = || parts.values().map(|part| part.state);
    let state = if states().any(|state| state == PartState::Down) {
        PartState::Down
    } else if states().any(|state| state == PartState::Starting) {
        PartState::Starting
    } else {
        PartState::Ready
    };
    let status = match state {
        PartState::Ready => StatusCode::OK,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(Health { state, parts }))
}

/// The parts the process reports, and those the gateway asks itself.
pub(super) async fn parts(gateway: &GatewayState) -> BTreeMap<String, Part> {
    let mut parts = gateway.parts().ask();
    let reported = parts.get("postgres").is_none_or(|part| part.state == PartState::Ready);
    if reported {
        parts.insert("postgres".to_owned(), database(gateway.kernel()).await);
    }
    if let Some(pipeline) = gateway.pipeline() {
        parts.insert("pipeline".to_owned(), pipeline_part(pipeline));
    }
    parts
}

async fn database(kernel: &Kernel) -> Part {
    let asked = sqlx::query("select 1").execute(kernel.pool());
    match tokio::time::timeout(DATABASE_PATIENCE, asked).await {
        Ok(Ok(_)) => Part::ready(),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the health probe failed");
            Part::down("PostgreSQL refuses queries; see the log")
        }
        Err(_) => Part::down("PostgreSQL does not answer within a second"),
    }
}
