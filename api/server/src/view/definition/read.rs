//! `GET /api/v1/views/{name}/definition`

use axum::Json;
use axum::extract::{Path, Query as Pairs, State};
use axum::http::HeaderMap;
use millrace_kernel::Problem;

use super::Definition;
use crate::view::query::Query;
use crate::{Error, GatewayState};

/// Read a view's definition
///
/// Of a view that was defined while the system ran: its text, and how far it is. With the token that defining it
/// answered, the definition is known.
#[utoipa::path(
    get,
    path = "/api/v1/views/{name}/definition",
    tag = "views",
    operation_id = "read_view_definition",
    params(
        ("name" = String, Path),
        ("wait_for" = Option<String>, Query, description = "Wait until the write that answered this token is included"),
    ),
    responses(
        (status = 200, description = "The definition", body = Definition),
        (status = 404, description = "`unknown_view`", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "`frontier_timeout`: not included in time", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::view) async fn read(
    State(gateway): State<GatewayState>,
    Path(name): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Json<Definition>, Error> {
    let pipeline = gateway.require_pipeline()?;
    let query = Query::read(pairs, &headers)?;
    query.wait(pipeline, gateway.options().wait_timeout).await?;
    Ok(Json(pipeline.definition(&name)?.into()))
}
