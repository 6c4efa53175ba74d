//! Logins: who a person is, for fifteen minutes at a time.
//!
//! An access token is signed and holds for [`ACCESS_SECONDS`]; a refresh token works once and is
//! replaced. What a role allows is the kernel's business ([`millrace_kernel::Permission`]).

mod attempt;
mod demo;
mod grant;
mod key;
mod login;
mod logout;
mod me;
mod password;
mod refresh;
mod session;
mod user;

use std::fmt;

use millrace_events::UserId;
use millrace_kernel::{Authenticator, Claims, Kernel, Service};
use secrecy::SecretString;
use sqlx::migrate::Migrator;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::{Error, GatewayState};
use grant::{Grant, Person};

pub use demo::{EMAIL as DEMO_EMAIL, seed_demo_user};
pub use user::{NewUser, put as put_user};

static MIGRATOR: Migrator = sqlx::migrate!();

/// The schema `identity` and its migrations, for [`millrace_kernel::migrate`].
pub static SERVICE: Service = Service { schema: "identity", migrator: &MIGRATOR, seed: None };

/// Seconds an access token holds.
pub const ACCESS_SECONDS: i64 = 15 * 60;

/// Issues and checks logins. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    kernel: Kernel,
    authenticator: Authenticator,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl Identity {
    /// Reads the signing secret, or makes it; a configured one wins over the one in the database.
    ///
    /// # Errors
    /// [`Error::SecretShort`], or when PostgreSQL can't be asked.
    pub async fn open(kernel: &Kernel, secret: Option<SecretString>) -> Result<Self, Error> {
        let secret = key::load(kernel.pool(), secret, kernel.now()).await?;
        let authenticator = Authenticator::new(&secret, kernel.clock().clone());
        Ok(Self { kernel: kernel.clone(), authenticator })
    }

    /// What checks access tokens, also for a role that is served alone.
    #[must_use]
    pub fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    async fn log_in(&self, email: &str, password: SecretString) -> Result<Grant, Error> {
        let email = user::normal(email);
        let (pool, now) = (self.kernel.pool(), self.kernel.now());
        attempt::count(pool, &email, now).await?;
        let (known, hash) = user::by_email(pool, &email).await?.unzip();
        let is_right = password::verify(password, hash).await?;
        let user = known.filter(|_| is_right).ok_or(Error::Credentials)?;
        attempt::forget(pool, &email, now).await?;
        let refresh_token = session::open(pool, user.user_id, now).await?;
        Ok(self.grant(user, &refresh_token))
    }

    async fn refresh(&self, token: &SecretString) -> Result<Grant, Error> {
        let (pool, now) = (self.kernel.pool(), self.kernel.now());
        let (user_id, next) = session::rotate(pool, token, now).await?;
        let user = user::by_id(pool, user_id).await?.ok_or(Error::RefreshUnknown)?;
        Ok(self.grant(user, &next))
    }

    async fn log_out(&self, token: &SecretString) -> Result<(), Error> {
        session::close(self.kernel.pool(), token, self.kernel.now()).await
    }

    async fn person(&self, user_id: UserId) -> Result<Person, Error> {
        let user = user::by_id(self.kernel.pool(), user_id).await?;
        Ok(user.ok_or(Error::AccountGone)?.into())
    }

    fn grant(&self, user: user::User, refresh_token: &SecretString) -> Grant {
        let access_token = self.authenticator.sign(&Claims {
            sub: user.user_id,
            name: user.name.clone(),
            roles: user.roles.clone(),
            shops: user.shops.clone(),
            exp: self.kernel.now().timestamp() + ACCESS_SECONDS,
        });
        Grant::new(access_token, refresh_token, user.into())
    }
}

/// The routes that need no access token.
pub(crate) fn open_routes() -> OpenApiRouter<GatewayState> {
    OpenApiRouter::new()
        .routes(routes!(login::login))
        .routes(routes!(refresh::refresh))
        .routes(routes!(logout::logout))
}

/// The routes of a person who is logged in.
pub(crate) fn own_routes() -> OpenApiRouter<GatewayState> {
    OpenApiRouter::new().routes(routes!(me::me))
}
