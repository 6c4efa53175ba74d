//! `POST /auth/login`

use axum::Json as Answer;
use axum::extract::State;
use millrace_kernel::{FieldErrors, Json, Problem, Validate};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use utoipa::ToSchema;

use super::grant::Grant;
use super::password::LENGTH_MAX;
use crate::{Error, GatewayState};

const EMAIL_LENGTH_MAX: usize = 254;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[schema(value_type = String, format = Password, max_length = 1024)]
    password: SecretString,
}

impl Validate for Login {
    fn validate(&self, errors: &mut FieldErrors) {
        errors.text("email", &self.email, EMAIL_LENGTH_MAX);
        let length = self.password.expose_secret().len();
        errors.require(length > 0, "password", "required", "must not be empty");
        errors.require(
            length <= LENGTH_MAX,
            "password",
            "too_long",
            format!("must have at most {LENGTH_MAX} bytes"),
        );
    }
}

/// Log in
///
/// After five wrong passwords in a row the address is locked for half a minute, and twice as long
/// after each further one, up to a quarter of an hour.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "login",
    request_body = Login,
    security(()),
    responses(
        (status = 200, description = "Logged in", body = Grant),
        (status = 401, description = "`credentials`: no such address and password", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "`login_locked`: too many failures, see Retry-After", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn login(
    State(gateway): State<GatewayState>,
    Json(login): Json<Login>,
) -> Result<Answer<Grant>, Error> {
    login.check()?;
    Ok(Answer(gateway.identity().log_in(&login.email, login.password).await?))
}
