//! `PUT /api/v1/views/{name}`

use axum::extract::{Path, State};
use axum::response::IntoResponse;
use millrace_events::event::ViewDefined;
use millrace_kernel::{Context, Json, Problem};
use millrace_views::Intent;
use serde::Deserialize;
use utoipa::ToSchema;

use super::define;
use crate::{Error, GatewayState};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::view) struct NewText {
    /// Header lines, of which `-- key: …` has to be there, and one `select`.
    text: String,
}

/// Give a view another definition
///
/// It goes on as it is until the new definition is filled. Views that read it follow at the same moment. Only
/// views that were defined while the system ran can be replaced.
#[utoipa::path(
    put,
    path = "/api/v1/views/{name}",
    tag = "views",
    operation_id = "replace_view",
    params(("name" = String, Path)),
    request_body = NewText,
    responses(
        (status = 202, description = "It is being filled", body = ViewDefined),
        (status = 404, description = "`unknown_view`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`view_of_product`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`view_definition`, `view_reader`, `plan`, `unsupported`: what is wrong, and where in the text", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::view) async fn replace(
    State(gateway): State<GatewayState>,
    Path(name): Path<String>,
    context: Context,
    Json(NewText { text }): Json<NewText>,
) -> Result<impl IntoResponse, Error> {
    define(&gateway, &context, name, text, Intent::Replace).await
}
