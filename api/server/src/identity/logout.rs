//! `POST /auth/logout`

use axum::extract::State;
use axum::http::StatusCode;
use millrace_kernel::{Json, Validate};

use super::refresh::Refresh;
use crate::{Error, GatewayState};

/// Log out
///
/// Ends the session of the refresh token. Its access token holds until it expires.
#[utoipa::path(
    post,
    path = "/auth/logout",
    tag = "login",
    request_body = Refresh,
    security(()),
    responses((status = 204, description = "The session has ended, or there was none"))
)]
pub(super) async fn logout(
    State(gateway): State<GatewayState>,
    Json(logout): Json<Refresh>,
) -> Result<StatusCode, Error> {
    logout.check()?;
    gateway.identity().log_out(&logout.refresh_token).await?;
    Ok(StatusCode::NO_CONTENT)
}
