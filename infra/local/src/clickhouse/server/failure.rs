//! Errors as ClickHouse's HTTP interface answers them.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

/// ClickHouse's error codes that this server raises itself.
pub(super) mod code {
    pub(crate) const NOT_IMPLEMENTED: u32 = 48;
    pub(crate) const CHECKSUM_DOESNT_MATCH: u32 = 40;
    pub(crate) const SYNTAX_ERROR: u32 = 62;
    pub(crate) const UNKNOWN_COMPRESSION_METHOD: u32 = 89;
    pub(crate) const READONLY: u32 = 164;
    pub(crate) const TOO_MANY_SIMULTANEOUS_QUERIES: u32 = 202;
    pub(crate) const QUERY_IS_TOO_LARGE: u32 = 229;
    pub(crate) const CANNOT_DECOMPRESS: u32 = 271;
    pub(crate) const SESSION_NOT_FOUND: u32 = 372;
    pub(crate) const SESSION_IS_LOCKED: u32 = 373;
    pub(crate) const INVALID_SESSION_TIMEOUT: u32 = 374;
    pub(crate) const UNKNOWN_ROLE: u32 = 511;
    pub(crate) const AUTHENTICATION_FAILED: u32 = 516;
    pub(crate) const BAD_ARGUMENTS: u32 = 36;
    pub(crate) const LOGICAL_ERROR: u32 = 49;
}

/// A refused request.
#[derive(Debug)]
pub(super) struct Failure {
    /// ClickHouse's error code.
    pub code: u32,
    /// `Code: N. DB::Exception: …`.
    pub message: String,
}

impl Failure {
    /// One of this server's own; `reason` ends with the error's name in parentheses.
    pub(super) fn new(code: u32, reason: String) -> Self {
        Failure { code, message: format!("Code: {code}. DB::Exception: {reason}") }
    }

    /// A body longer than this server takes.
    pub(super) fn body_too_large() -> Self {
        let reason = format!(
            "The request's body is longer than {} bytes: insert in smaller batches. (QUERY_IS_TOO_LARGE)",
            super::codec::BYTES_MAX
        );
        Failure::new(code::QUERY_IS_TOO_LARGE, reason)
    }

    fn status(&self) -> StatusCode {
        match self.code {
            192 | 193 | 512 | 516 => StatusCode::FORBIDDEN,
            194 => StatusCode::UNAUTHORIZED,
            // What the statement or its data say is wrong.
            6 | 25 | 26 | 27 | 32 | 33 | 36 | 38 | 41 | 42 | 43 | 44 | 53 | 62 | 69 | 70 | 72
            | 117 | 130 | 131 | 190 | 271 | 427 | 441 | 457 => StatusCode::BAD_REQUEST,
            // Something named does not exist.
            46 | 47 | 50 | 56 | 60 | 63 | 73 | 78 | 81 | 115 | 135 | 336 | 372 => {
                StatusCode::NOT_FOUND
            }
            159 => StatusCode::REQUEST_TIMEOUT,
            164 => StatusCode::FORBIDDEN,
            202 => StatusCode::SERVICE_UNAVAILABLE,
            229 => StatusCode::PAYLOAD_TOO_LARGE,
            48 => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<millrace_chdb::Error> for Failure {
    fn from(error: millrace_chdb::Error) -> Self {
        match error {
            millrace_chdb::Error::Query { code, message } => Failure { code, message },
            other => Failure::new(code::LOGICAL_ERROR, format!("{other}. (LOGICAL_ERROR)")),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.status();
        let mut response = Response::new(Body::from(self.message + "\n"));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert("x-clickhouse-exception-code", HeaderValue::from(self.code));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=UTF-8"));
        response
    }
}
