//! `GET /metrics`

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::GatewayState;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(State(gateway): State<GatewayState>) -> Response {
    match gateway.metrics() {
        Some(handle) => ([(CONTENT_TYPE, TEXT)], handle.render()).into_response(),
        None => (StatusCode::NOT_FOUND, "no metrics recorder is installed in this process\n")
            .into_response(),
    }
}
