//! `POST /auth/refresh`

use axum::Json as Answer;
use axum::extract::State;
use millrace_kernel::{FieldErrors, Json, Problem, Validate};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::grant::Grant;
use crate::{Error, GatewayState};

const TOKEN_LENGTH_MAX: usize = 256;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    #[schema(value_type = String, format = Password)]
    pub(super) refresh_token: SecretString,
}

impl Validate for Refresh {
    fn validate(&self, errors: &mut FieldErrors) {
        let length = self.refresh_token.expose_secret().len();
        errors.require(
            (1..=TOKEN_LENGTH_MAX).contains(&length),
            "refresh_token",
            "length",
            format!("must have 1 to {TOKEN_LENGTH_MAX} characters"),
        );
    }
}

/// Trade a refresh token for new tokens
///
/// A refresh token works once. One that comes back a second time ends the session, because two
/// parties hold it.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    tag = "login",
    request_body = Refresh,
    security(()),
    responses(
        (status = 200, description = "New tokens", body = Grant),
        (status = 401, description = "`refresh_token_unknown` or `refresh_token_reused`: log in again", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn refresh(
    State(gateway): State<GatewayState>,
    Json(refresh): Json<Refresh>,
) -> Result<Answer<Grant>, Error> {
    refresh.check()?;
    Ok(Answer(gateway.identity().refresh(&refresh.refresh_token).await?))
}
