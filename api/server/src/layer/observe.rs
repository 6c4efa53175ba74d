//! One span, one log line and the RED metrics per request; the request id and the trace in and out.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::header::HeaderName;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use metrics::{Label, counter, gauge, histogram};
use opentelemetry::global;
use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::trace::TraceContextExt;
use tracing::{Instrument, Span, field, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_LENGTH_MAX: usize = 64;
/// The route label of whatever no API route matches, so that the labels stay few.
const OTHER_ROUTE: &str = "other";

pub(crate) async fn observe(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| OTHER_ROUTE.to_owned(), |path| path.as_str().to_owned());
    let method = method_name(request.method());
    let request_id = request_id(request.headers());
    let span = span(method, &route, &request_id, request.headers());

    let measured = Measured::begin(method, route);
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    measured.end(status, &span);

    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(REQUEST_ID, value);
    }
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&span.context(), &mut Headers(headers));
    });
    response
}

/// Only the known ones, so that a caller can't make up labels.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "PATCH" => "PATCH",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

/// The caller's id when it is a plain word, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_plain = |id: &&str| {
        (1..=REQUEST_ID_LENGTH_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given.filter(is_plain).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

fn span(method: &str, route: &str, request_id: &str, headers: &HeaderMap) -> Span {
    let span = info_span!(
        "http.request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        request_id,
        trace_id = field::Empty,
    );
    let parent =
        global::get_text_map_propagator(|propagator| propagator.extract(&Incoming(headers)));
    // Fails only where no tracer is installed, and then there is nothing to hang the span on.
    let _ = span.set_parent(parent);
    let trace_id = span.context().span().span_context().trace_id();
    span.record("trace_id", field::display(trace_id));
    span
}

/// Counts the request also when its caller goes away before the answer.
struct Measured {
    method: &'static str,
    route: String,
    started: Instant,
    is_ended: bool,
}

impl Measured {
    fn begin(method: &'static str, route: String) -> Self {
        gauge!("millrace_http_requests_in_flight").increment(1);
        Self { method, route, started: Instant::now(), is_ended: false }
    }

    fn end(mut self, status: StatusCode, span: &Span) {
        self.is_ended = true;
        self.count(status.as_str());
        span.record("http.response.status_code", i64::from(status.as_u16()));
        let elapsed_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let _entered = span.enter();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // Starting, stopping or busy: said on purpose, and it passes.
            tracing::warn!(status = status.as_u16(), elapsed_ms, "not now");
        } else if status.is_server_error() {
            span.record("otel.status_code", "ERROR");
            tracing::error!(status = status.as_u16(), elapsed_ms, "request failed");
        } else {
            tracing::debug!(status = status.as_u16(), elapsed_ms, "request answered");
        }
    }

    fn count(&self, status: &str) {
        let labels = vec![
            Label::new("method", self.method),
            Label::new("route", self.route.clone()),
            Label::new("status", status.to_owned()),
        ];
        counter!("millrace_http_requests_total", labels.clone()).increment(1);
        histogram!("millrace_http_request_seconds", labels).record(self.started.elapsed());
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        gauge!("millrace_http_requests_in_flight").decrement(1);
        if !self.is_ended {
            self.count("cancelled");
        }
    }
}

struct Incoming<'a>(&'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        // A trace without vendors' state has an empty one.
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(key.as_bytes()), HeaderValue::from_str(&value))
        {
            self.0.insert(name, value);
        }
    }
}
