//! The trace a command belongs to, for the envelope and the relay.

use axum::http::HeaderMap;
use opentelemetry::trace::TraceContextExt;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use uuid::Uuid;

/// W3C trace context of a command.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// 32 hex digits.
    pub trace_id: String,
    /// None where nobody traces: then there is no span to hang later work on.
    pub traceparent: Option<String>,
}

impl Trace {
    /// The active span's trace; else the caller's, as the header tells; else a fresh id.
    pub fn current(headers: Option<&HeaderMap>) -> Self {
        let context = tracing::Span::current().context();
        let active = context.span().span_context().clone();
        if active.is_valid() {
            let trace_id = active.trace_id().to_string();
            let flags = active.trace_flags().to_u8();
            let traceparent = format!("00-{trace_id}-{}-{flags:02x}", active.span_id());
            return Self { trace_id, traceparent: Some(traceparent) };
        }
        let header = headers
            .and_then(|headers| headers.get("traceparent"))
            .and_then(|value| value.to_str().ok());
        match header.and_then(trace_id) {
            Some(id) => Self { trace_id: id.to_owned(), traceparent: header.map(str::to_owned) },
            None => Self { trace_id: Uuid::new_v4().simple().to_string(), traceparent: None },
        }
    }
}

/// The trace id of a well-formed `version-trace-parent-flags`.
fn trace_id(traceparent: &str) -> Option<&str> {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [version, trace, parent, flags] = parts.as_slice() else { return None };
    let widths = version.len() == 2 && trace.len() == 32 && parent.len() == 16 && flags.len() == 2;
    let digits = parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let named = trace.bytes().any(|byte| byte != b'0') && parent.bytes().any(|byte| byte != b'0');
    (widths && digits && named).then_some(*trace)
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn only_a_well_formed_parent_is_taken() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(trace_id(good), Some("0af7651916cd43dd8448eb211c80319c"));
        for bad in [
            "",
            "00-0af7-b7ad6b7169203331-01",
            &good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            "x",
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
