//! Turns whatever goes wrong below into a problem document: panics, time-outs, oversized bodies,
//! paths and methods nobody has, and the plain-text refusals of extractors.

use std::any::Any;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use millrace_kernel::Problem;

/// Longer refusals than this are not of ours.
const REFUSAL_BYTES_MAX: usize = 4 * 1024;
const PROBLEM: &str = "application/problem+json";

/// Answers a panic below; what it said goes to the log only.
pub(super) fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response {
    let said = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&'static str>().copied())
        .unwrap_or("a value that is no text");
    tracing::error!(said, "a handler panicked");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal",
        "the request failed for a reason that is not yours; the log has it under the trace id",
    )
    .into_response()
}

/// Gives up on a request that is not answered in time. Streams are answered at once.
pub(super) async fn time_out(
    State(longest): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    match tokio::time::timeout(longest, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "request_timeout",
            format!(
                "no answer within {} s; the command may still have taken effect: \
                 repeat it with the same Idempotency-Key",
                longest.as_secs()
            ),
        )
        .into_response(),
    }
}

/// Refuses a body that says beforehand that it is too large; extractors stop the others.
pub(super) async fn refuse_large(
    State(bytes_max): State<usize>,
    request: Request,
    next: Next,
) -> Response {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    match length {
        Some(length) if length > bytes_max => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!(
                "the body has {length} bytes; at most {bytes_max} are taken: send less at once"
            ),
        )
        .into_response(),
        _ => next.run(request).await,
    }
}

/// Makes every error of the API a problem document.
pub(super) async fn documented(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let method = request.method().clone();
    let response = next.run(request).await;
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || !is_api(&path) || is_problem(&response) {
        return response;
    }
    let allow = response.headers().get(ALLOW).cloned();
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("not_found", format!("{path} is no path of this API")),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", format!("{path} does not take {method}"))
        }
        status => (code_of(status), refusal(response.into_body()).await),
    };
    let mut answer = Problem::new(status, code, detail).into_response();
    if let Some(allow) = allow {
        answer.headers_mut().insert(ALLOW, allow);
    }
    answer
}

/// Whether a path belongs to the API rather than to the web app.
pub(crate) fn is_api(path: &str) -> bool {
    ["/api/", "/auth/"].iter().any(|root| path.starts_with(root))
}

fn is_problem(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with(PROBLEM))
}

fn code_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "unauthorized",
        StatusCode::FORBIDDEN => "forbidden",
        StatusCode::PAYLOAD_TOO_LARGE => "body_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "media_type",
        status if status.is_client_error() => "bad_request",
        _ => "internal",
    }
}

async fn refusal(body: Body) -> String {
    let bytes = to_bytes(body, REFUSAL_BYTES_MAX).await.unwrap_or_default();
    match std::str::from_utf8(&bytes) {
        Ok(text) if !text.is_empty() => text.to_owned(),
        _ => "the request was refused".to_owned(),
    }
}
