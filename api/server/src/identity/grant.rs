//! What logging in answers.

use millrace_events::{ShopId, UserId};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;

use super::user::User;

/// A person as the person is told.
#[derive(Serialize, ToSchema)]
pub(crate) struct Person {
    user_id: UserId,
    email: String,
    name: String,
    roles: Vec<String>,
    /// Where the roles hold; an administrator's hold everywhere.
    shops: Vec<ShopId>,
}

impl From<User> for Person {
    fn from(user: User) -> Self {
        let User { user_id, email, name, roles, shops } = user;
        Self { user_id, email, name, roles, shops }
    }
}

/// Two tokens: one to show with each request, one to get the next two with.
#[derive(Serialize, ToSchema)]
pub(crate) struct Grant {
    access_token: String,
    /// Works once, within seven days.
    refresh_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds the access token holds.
    expires_in: i64,
    user: Person,
}

impl Grant {
    pub(super) fn new(access_token: String, refresh_token: &SecretString, user: Person) -> Self {
        Self {
            access_token,
            refresh_token: refresh_token.expose_secret().to_owned(),
            token_type: "Bearer",
            expires_in: super::ACCESS_SECONDS,
            user,
        }
    }
}
