//! An epoch's span, linked to the traces of the commands whose events it holds.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{Message, SourceEpoch};

/// The span of the epoch that is made of these messages.
pub(super) fn of(messages: &[Message]) -> Span {
    let position = |message: Option<&Message>| message.map_or(0, |message| message.position.0);
    let span = tracing::info_span!(
        "source.epoch",
        first_position = position(messages.first()),
        last_position = position(messages.last()),
        events = messages.len(),
    );
    if !span.is_disabled() {
        let traced = messages.iter().filter(|message| message.number == 1);
        traced
            .filter_map(|message| context(message.traceparent.as_deref()?))
            .take(SourceEpoch::TRACEPARENTS_MAX)
            .for_each(|context| span.add_link(context));
    }
    span
}

/// Reads `00-<trace id>-<span id>-<flags>`; later versions may append more.
fn context(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (_version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read() {
        let read =
            context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").expect("valid");
        assert_eq!(read.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(read.span_id().to_string(), "b7ad6b7169203331");
        assert!(read.is_sampled() && read.is_remote());
        for damaged in ["", "00-0-0-0", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"] {
            assert!(context(damaged).is_none(), "{damaged}");
        }
    }
}
