//! What can go wrong in the gateway, and the one place where it becomes a problem document.

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_events::ShopId;
use millrace_kernel::{FieldError, Permission, Problem};

/// What was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("log format {value:?} is unknown: write json or pretty")]
    LogFormat { value: String },
    #[error(
        "log filter {value:?} can't be read: write directives such as info,millrace_server=debug"
    )]
    LogFilter {
        value: String,
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    #[error("the collector at {url} can't be used: {reason}")]
    Collector { url: String, reason: String },
    #[error("telemetry is installed already: init is called once in a process")]
    TelemetryTwice,
    #[error("the metrics recorder can't be installed: {reason}")]
    Recorder { reason: String },
    #[error("allowed origin {value:?} is no origin: write one such as https://erp.example.com")]
    CorsOrigin { value: String },
    #[error("the listening socket failed")]
    Serve(#[source] std::io::Error),

    #[error("the signing secret has {length} bytes: give at least {least}")]
    SecretShort { length: usize, least: usize },
    #[error("no random bytes: {reason}")]
    Randomness { reason: String },
    #[error("a password can't be hashed: {reason}")]
    PasswordHash { reason: String },
    #[error("no account has this address and password")]
    Credentials,
    #[error("too many failed logins for this address: try again in {retry_after_seconds} s")]
    LoginLocked { retry_after_seconds: u64 },
    #[error("the refresh token is not valid or has expired: log in again")]
    RefreshUnknown,
    #[error("the refresh token was used before, so its session has ended: log in again")]
    RefreshReused,
    #[error("the account is no longer active: log in with another")]
    AccountGone,

    #[error(
        "no pipeline runs in this process: start the role `pipeline`, or ask a gateway beside one"
    )]
    PipelineAbsent,
    #[error("view {view} has no column {column}; its columns are {}", allowed.join(", "))]
    ColumnUnknown { view: String, column: String, allowed: Vec<String> },
    #[error("{value:?} is no {kind}, which column {column} holds")]
    ValueUnreadable { column: String, value: String, kind: String },
    #[error("column {column} is given more than {most} values: ask for fewer at once")]
    ValuesTooMany { column: String, most: usize },
    #[error(
        "sort {value:?} can't be read: write column:asc or column:desc, at most four with commas"
    )]
    SortUnreadable { value: String },
    #[error("{field} must be at least {least}{}", most.map(|most| format!(" and at most {most}")).unwrap_or_default())]
    WindowRange { field: &'static str, least: usize, most: Option<usize> },
    #[error("{field} {value:?} can't be read: {wanted}")]
    ParameterUnreadable { field: &'static str, value: String, wanted: &'static str },
    #[error("shop {shop} is not one of yours")]
    ShopForbidden { shop: ShopId },
    #[error("view {view} tells about all shops at once, which takes the permission {permission}")]
    CompanyWide { view: String, permission: Permission },
    #[error("all {most} live streams {whose} are taken: close one, or ask again later")]
    StreamsTaken { most: usize, whose: &'static str },

    #[error(transparent)]
    DeadLetters(millrace_source::Error),

    #[error(transparent)]
    Kernel(#[from] millrace_kernel::Error),
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    #[error(transparent)]
    Views(#[from] millrace_views::Error),
    #[error(transparent)]
    Engine(#[from] millrace_engine::Error),
    #[error("an answer can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// Seconds after which a refusal for lack of room is worth another try.
const RETRY_SECONDS: u64 = 5;

impl Error {
    /// A stable name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::LogFormat { .. }
            | Self::LogFilter { .. }
            | Self::Collector { .. }
            | Self::TelemetryTwice
            | Self::Recorder { .. }
            | Self::CorsOrigin { .. }
            | Self::SecretShort { .. } => "configuration",
            Self::Serve(_) | Self::Randomness { .. } | Self::PasswordHash { .. } => "internal",
            Self::Arrow(_) | Self::Json(_) | Self::Engine(_) => "internal",
            Self::Credentials => "credentials",
            Self::LoginLocked { .. } => "login_locked",
            Self::RefreshUnknown => "refresh_token_unknown",
            Self::RefreshReused => "refresh_token_reused",
            Self::AccountGone => "account_gone",
            Self::PipelineAbsent => "pipeline_absent",
            Self::ColumnUnknown { .. } => "column_unknown",
            Self::ValueUnreadable { .. } => "value_unreadable",
            Self::ValuesTooMany { .. } => "values_too_many",
            Self::SortUnreadable { .. } => "sort_unreadable",
            Self::WindowRange { .. } => "out_of_range",
            Self::ParameterUnreadable { .. } => "parameter_unreadable",
            Self::ShopForbidden { .. } => "shop_forbidden",
            Self::CompanyWide { .. } => "forbidden",
            Self::StreamsTaken { .. } => "streams_taken",
            Self::DeadLetters(error) => error.code(),
            Self::Kernel(error) => error.code(),
            Self::Views(error) => error.code(),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Credentials | Self::RefreshUnknown | Self::RefreshReused | Self::AccountGone => {
                StatusCode::UNAUTHORIZED
            }
            Self::LoginLocked { .. } | Self::StreamsTaken { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::ColumnUnknown { .. }
            | Self::ValueUnreadable { .. }
            | Self::ValuesTooMany { .. }
            | Self::SortUnreadable { .. }
            | Self::WindowRange { .. }
            | Self::ParameterUnreadable { .. } => StatusCode::BAD_REQUEST,
            Self::ShopForbidden { .. } | Self::CompanyWide { .. } => StatusCode::FORBIDDEN,
            Self::PipelineAbsent => StatusCode::SERVICE_UNAVAILABLE,
            Self::DeadLetters(millrace_source::Error::NoDeadLetter { .. }) => StatusCode::NOT_FOUND,
            Self::DeadLetters(
                millrace_source::Error::Replay { .. } | millrace_source::Error::Orphaned { .. },
            ) => StatusCode::CONFLICT,
            Self::Kernel(error) => error.status(),
            Self::Views(error) => views_status(error),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The query parameter or column that was refused.
    fn field(&self) -> Option<&str> {
        match self {
            Self::ColumnUnknown { column, .. }
            | Self::ValueUnreadable { column, .. }
            | Self::ValuesTooMany { column, .. } => Some(column),
            Self::SortUnreadable { .. } => Some("sort"),
            Self::WindowRange { field, .. } | Self::ParameterUnreadable { field, .. } => {
                Some(field)
            }
            Self::ShopForbidden { .. } => Some("shop_id"),
            _ => None,
        }
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::LoginLocked { retry_after_seconds } => Some(*retry_after_seconds),
            Self::StreamsTaken { .. } => Some(RETRY_SECONDS),
            Self::Views(error) if error.is_retryable() => Some(1),
            _ => None,
        }
    }
}

fn views_status(error: &millrace_views::Error) -> StatusCode {
    use millrace_views::Error as Views;
    match error {
        Views::Header { .. }
        | Views::File { .. }
        | Views::Circle { .. }
        | Views::Plan(_)
        | Views::Reader { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Views::Engine(error) if error.view().is_some() => StatusCode::UNPROCESSABLE_ENTITY,
        Views::NameTaken { .. }
        | Views::ProductView { .. }
        | Views::HasReaders { .. }
        | Views::ViewChanged { .. }
        | Views::NotFilled { .. } => StatusCode::CONFLICT,
        Views::Filling { .. } | Views::ViewStopped { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Views::UnknownView { .. } | Views::NotServed { .. } => StatusCode::NOT_FOUND,
        Views::KeyIncomplete { .. } => StatusCode::BAD_REQUEST,
        Views::TooManyEvents { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Views::FrontierTimeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        Views::Stopped { .. } | Views::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<sqlx::Error> for Error {
    /// The kernel knows what the database means.
    fn from(error: sqlx::Error) -> Self {
        Self::Kernel(error.into())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = (self.status(), self.code());
        let retry_after = self.retry_after_seconds();
        if let Self::Kernel(error) = self {
            return error.into_response();
        }
        let detail = if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %self, source = ?std::error::Error::source(&self), code, "request failed");
            "Millrace failed; the trace id finds it in the log".to_owned()
        } else {
            self.to_string()
        };
        let errors = self.field().map(|field| FieldError {
            field: field.to_owned(),
            code: code.to_owned(),
            message: detail.clone(),
        });
        let problem = Problem::new(status, code, detail).with(errors.into_iter().collect());
        let mut response = problem.into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
