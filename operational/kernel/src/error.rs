//! Why a command was not done. How each of these is told over HTTP is in [`crate::http`].

use std::fmt;

use axum::http::StatusCode;
use deadpool_postgres::PoolError;
use millrace_events::ShopId;
use serde::{Deserialize, Serialize};

use crate::{DatabaseError, Permission};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One field that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldError {
    /// Path in the body, for example `lines[0].quantity`.
    pub field: String,
    /// Stable word for programs.
    pub code: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// A business rule said no.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: StatusCode,
    /// Stable word for programs, for example `insufficient_stock`.
    pub code: &'static str,
    pub detail: String,
    pub errors: Vec<FieldError>,
}

impl Refusal {
    /// The state of things does not allow it now (409).
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, code, detail: detail.into(), errors: Vec::new() }
    }

    /// What was asked can not be right (422).
    #[must_use]
    pub fn unprocessable(code: &'static str, detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { status, code, detail: detail.into(), errors: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        for error in &self.errors {
            write!(f, "; {}: {}", error.field, error.message)?;
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Refused(Refusal),
    #[error("{}", invalid(.errors))]
    Invalid { errors: Vec<FieldError> },
    #[error("the body is not what this address takes: {detail}")]
    Malformed { detail: String },
    #[error("{reason}: send a valid access token as `Authorization: Bearer …`")]
    Unauthenticated { reason: &'static str },
    #[error("permission {permission} is needed{}", at_shop(.shop))]
    Forbidden { permission: Permission, shop: Option<ShopId> },
    #[error("there is no {what} {id}")]
    NotFound { what: &'static str, id: String },
    #[error("{what} {id} was changed by somebody else: read it again and repeat with its new ETag")]
    Stale { what: &'static str, id: String },
    #[error("say which version you change: send its ETag in `If-Match`, or * for any")]
    VersionNeeded,
    #[error("idempotency key {key:?} was used for another body: use a new key")]
    KeyReused { key: String },
    #[error("the command with idempotency key {key:?} is still running: ask again in a moment")]
    KeyInFlight { key: String },
    #[error("one transaction may append {limit} events, this one has more: split the command")]
    OutboxFull { limit: usize },
    #[error(
        "{schema}.outbox is not in publication millrace_outbox, so its events would reach nobody: \
         run `millrace migrate`"
    )]
    NotPublished { schema: String },
    #[error("migrations of {schema} failed")]
    Migrate {
        schema: &'static str,
        #[source]
        source: sqlx::migrate::MigrateError,
    },
    #[error(transparent)]
    Event(#[from] millrace_events::Error),
    #[error("a value can't be written as JSON")]
    Json(#[from] serde_json::Error),
    #[error("PostgreSQL: {0}")]
    Database(#[from] DatabaseError),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<tokio_postgres::Error> for Error {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<PoolError> for Error {
    fn from(error: PoolError) -> Self {
        Self::Database(error.into())
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Error {
    #[must_use]
    pub fn not_found(what: &'static str, id: impl fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// One field refused.
    #[must_use]
    pub fn field(
        field: impl Into<String>,
        code: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        let error = FieldError { field: field.into(), code: code.into(), message: message.into() };
        Self::Invalid { errors: vec![error] }
    }

    /// PostgreSQL's five-letter code, where it is the cause.
    #[must_use]
    pub fn sqlstate(&self) -> Option<String> {
        match self {
            Self::Database(error) => error.sqlstate(),
            _ => None,
        }
    }

    /// The name of the constraint that was violated, where that is the cause.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Database(error) => error.constraint(),
            _ => None,
        }
    }

    /// Whether the same command can succeed when it is simply run again: PostgreSQL undid it to
    /// resolve a conflict, or another run with the same idempotency key has just committed. Of several
    /// statements sent together one may only tell that another has failed; run again, that one tells why.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let conflict = self
            .sqlstate()
            .is_some_and(|code| matches!(code.as_str(), "40001" | "40P01" | "25P02"));
        conflict || self.constraint() == Some(crate::idempotency::CONSTRAINT)
    }
}

fn invalid(errors: &[FieldError]) -> String {
    let fields: Vec<_> =
        errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect();
    fields.join("; ")
}

fn at_shop(shop: &Option<ShopId>) -> String {
    shop.map(|shop| format!(" at shop {shop}")).unwrap_or_default()
}
