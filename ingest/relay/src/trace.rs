//! The relay's part of the trace that a command began.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::pgoutput::OutboxRow;

/// A span from the event's hand-over to Kafka until its acknowledgement, as a child of the command's.
/// `None` for an event without a valid, sampled trace context.
pub(crate) fn publish(row: &OutboxRow, position: u64) -> Option<Span> {
    let parent = parse(row.traceparent.as_deref()?)?;
    if !parent.is_sampled() {
        return None;
    }
    let span = tracing::info_span!(
        "relay.publish",
        otel.kind = "producer",
        messaging.system = "kafka",
        messaging.destination.name = %row.topic,
        millrace.event_type = %row.event_type,
        millrace.position = position,
    );
    let parent = Context::new().with_remote_span_context(parent);
    // Without an OpenTelemetry layer there is no trace to take part in.
    span.set_parent(parent).is_ok().then_some(span)
}

/// The traceparent to send on: the relay's own span where there is one, else the command's.
pub(crate) fn outgoing(row: &OutboxRow, span: Option<&Span>) -> Option<String> {
    let own = span.and_then(|span| {
        let context = span.context();
        let context = context.span().span_context().clone();
        context.is_valid().then(|| {
            let flags = context.trace_flags().to_u8();
            format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id())
        })
    });
    own.or_else(|| row.traceparent.clone())
}

/// W3C trace context, version 00.
fn parse(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version != "00" || parts.next().is_some() || trace.len() != 32 || span.len() != 16 {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        flags,
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_trace_context_is_followed() {
        let context = parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert!(context.is_sampled());
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-xaf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
