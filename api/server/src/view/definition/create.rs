//! `POST /api/v1/views`

use axum::extract::State;
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
pub(in crate::view) struct NewView {
    /// Lower case letters, digits and `_`.
    name: String,
    /// Header lines, of which `-- key: …` has to be there, and one `select`.
    text: String,
}

/// Create a view
///
/// It is filled from the log while all others stay live, and can be read once it has caught up.
#[utoipa::path(
    post,
    path = "/api/v1/views",
    tag = "views",
    operation_id = "create_view",
    request_body = NewView,
    responses(
        (status = 202, description = "It is being filled", body = ViewDefined),
        (status = 409, description = "`view_name_taken`, `view_of_product`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`view_definition`, `plan`, `unsupported`: what is wrong, and where in the text", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(in crate::view) async fn create(
    State(gateway): State<GatewayState>,
    context: Context,
    Json(NewView { name, text }): Json<NewView>,
) -> Result<impl IntoResponse, Error> {
    define(&gateway, &context, name, text, Intent::Create).await
}
