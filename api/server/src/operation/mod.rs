//! How the installation fares: for people, for probes, for Prometheus.

mod dead_letters;
mod doctor;
mod health;
mod metrics;
mod part;
mod status;

use axum::Router;
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::GatewayState;

pub(crate) use doctor::Practice;
pub use part::{Part, PartState, Parts};

/// Open to probes and to Prometheus; they tell nothing about the business.
pub(crate) fn probe_routes() -> Router<GatewayState> {
    Router::new()
        .route("/healthz", get(health::ready))
        .route("/healthz/ready", get(health::ready))
        .route("/healthz/live", get(health::live))
        .route("/metrics", get(metrics::metrics))
}

pub(crate) fn status_routes() -> OpenApiRouter<GatewayState> {
    OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(doctor::begin, doctor::report))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::replay))
}
