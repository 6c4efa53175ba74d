//! `GET /api/v1/me`

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use millrace_kernel::Actor;

use super::grant::Person;
use crate::{Error, GatewayState};

/// Who is logged in
#[utoipa::path(
    get,
    path = "/api/v1/me",
    tag = "login",
    operation_id = "read_me",
    responses((status = 200, description = "The account behind the access token", body = Person))
)]
pub(super) async fn me(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
) -> Result<Json<Person>, Error> {
    Ok(Json(gateway.identity().person(actor.user_id).await?))
}
