//! `GET /api/v1/views/{name}/explain`

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, GatewayState};

#[derive(Serialize, ToSchema)]
pub(super) struct Explained {
    view: String,
    /// The operators as a tree, each with its class, rows, state bytes and time.
    text: String,
}

/// Explain a view
#[utoipa::path(
    get,
    path = "/api/v1/views/{name}/explain",
    tag = "Views",
    params(("name" = String, Path)),
    responses((status = 200, description = "How the view is kept true, and what that costs", body = Explained))
)]
pub(super) async fn explain(
    State(gateway): State<GatewayState>,
    Path(name): Path<String>,
) -> Result<Json<Explained>, Error> {
    let explain = gateway.require_pipeline()?.explain(&name).await?;
    Ok(Json(Explained { view: name, text: explain.to_string() }))
}
