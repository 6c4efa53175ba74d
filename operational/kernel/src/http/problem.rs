//! Errors as RFC 9457 problems, the database's among them. This is the only place that maps them.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::trace::Trace;
use crate::{DatabaseError, Error, FieldError};

/// `application/problem+json`.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    /// Names this occurrence.
    pub instance: String,
    /// Stable word for programs.
    pub code: String,
    pub trace_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl Problem {
    #[must_use]
    pub fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        let code = code.into();
        let trace_id = Trace::current(None).trace_id;
        Self {
            kind: format!("urn:millrace:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Problem"),
            status: status.as_u16(),
            detail: detail.into(),
            instance: format!("urn:millrace:trace:{trace_id}"),
            code,
            trace_id,
            errors: Vec::new(),
        }
    }

    #[must_use]
    pub fn with(mut self, errors: Vec<FieldError>) -> Self {
        self.errors = errors;
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self).expect("a problem holds text and numbers only");
        let content = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, content, body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, scheme);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE || self.code == "idempotency_in_flight" {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = (self.status(), self.code());
        if status.is_server_error() {
            tracing::error!(error = %self, source = ?std::error::Error::source(&self), code, "command failed");
        }
        let problem = match self {
            Self::Refused(refusal) => {
                Problem::new(status, code, refusal.detail).with(refusal.errors)
            }
            Self::Invalid { errors } => {
                let detail = format!("{} field(s) are not right", errors.len());
                Problem::new(status, code, detail).with(errors)
            }
            Self::Database(error) => database_problem(status, code, &error),
            error if status == StatusCode::INTERNAL_SERVER_ERROR => {
                drop(error);
                Problem::new(status, code, "Millrace failed; the trace id finds it in the log")
            }
            error => Problem::new(status, code, error.to_string()),
        };
        problem.into_response()
    }
}

impl Error {
    /// Stable word for programs, dashboards and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Invalid { .. } => "invalid",
            Self::Malformed { .. } => "malformed",
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Stale { .. } => "stale_version",
            Self::VersionNeeded => "version_needed",
            Self::KeyReused { .. } => "idempotency_key_reused",
            Self::KeyInFlight { .. } => "idempotency_in_flight",
            Self::OutboxFull { .. } => "too_many_events",
            Self::NotPublished { .. } => "not_published",
            Self::Migrate { .. } => "migration_failed",
            Self::Event(_) | Self::Json(_) => "internal",
            Self::Database(error) => database_code(error).1,
        }
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status,
            Self::Invalid { .. } | Self::KeyReused { .. } | Self::OutboxFull { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthenticated { .. } => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Stale { .. } => StatusCode::PRECONDITION_FAILED,
            Self::VersionNeeded => StatusCode::PRECONDITION_REQUIRED,
            Self::KeyInFlight { .. } => StatusCode::CONFLICT,
            Self::NotPublished { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Migrate { .. } | Self::Event(_) | Self::Json(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            Self::Database(error) => database_code(error).0,
        }
    }
}

fn database_code(error: &DatabaseError) -> (StatusCode, &'static str) {
    match error.sqlstate().as_deref() {
        Some("23505") => (StatusCode::CONFLICT, "duplicate"),
        Some("23503") => (StatusCode::UNPROCESSABLE_ENTITY, "unknown_reference"),
        Some("23514" | "23502" | "22003") => (StatusCode::UNPROCESSABLE_ENTITY, "rule_violated"),
        Some("40001" | "40P01" | "55P03" | "57014") => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        _ if error.is_busy() => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        _ if error.is_unreachable() => (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// Constraints are named `<table>_<field>_key` and `<table>_<field>_fkey`, so that the field that
/// was refused can be told.
fn database_problem(status: StatusCode, code: &'static str, error: &DatabaseError) -> Problem {
    let constraint = error.constraint().unwrap_or_default();
    let table = error.table().unwrap_or_default();
    let field = |suffix: &str| {
        constraint
            .strip_prefix(table)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(|rest| rest.strip_suffix(suffix))
            .unwrap_or(constraint)
            .to_owned()
    };
    let refused = |field: String, message: &str| {
        let error = FieldError { field, code: code.to_owned(), message: message.to_owned() };
        Problem::new(status, code, message).with(vec![error])
    };
    match code {
        "duplicate" => refused(field("_key"), "is already in use: choose another"),
        "unknown_reference" => refused(field("_fkey"), "names something that does not exist"),
        "rule_violated" => {
            Problem::new(status, code, format!("rule {constraint} of {table} does not allow it"))
        }
        "busy" => Problem::new(status, code, "many commands want the same rows: try again"),
        "database_unavailable" => {
            Problem::new(status, code, "the database is not reachable: try again shortly")
        }
        _ => Problem::new(status, code, "Millrace failed; the trace id finds it in the log"),
    }
}
