//! `GET /api/v1/status`

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Part, health};
use crate::GatewayState;

/// How the installation fares.
#[derive(Serialize, ToSchema)]
pub(super) struct Status {
    version: &'static str,
    environment: String,
    parts: BTreeMap<String, Part>,
}

/// How the installation fares
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "Operations",
    responses((status = 200, description = "Positions, freshness and parts", body = Status))
)]
pub(super) async fn status(State(gateway): State<GatewayState>) -> Json<Status> {
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        environment: gateway.options().environment.clone(),
        parts: health::parts(&gateway).await,
    })
}
