//! Joins an epoch to the traces of the commands it carries.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The parent a W3C `traceparent` names: `00-<trace>-<span>-<flags>`.
fn parent(traceparent: &str) -> Option<Context> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version.len() != 2 || version == "ff" {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then(|| Context::new().with_remote_span_context(context))
}

/// Spans `epoch`, one in each trace; they end when dropped.
pub(super) fn epoch_spans(traceparents: &[String], epoch: u64, position: u64) -> Vec<Span> {
    let in_trace = |traceparent: &String| {
        let parent = parent(traceparent)?;
        let span = tracing::info_span!(parent: None, "epoch", epoch, position);
        // Fails only where no OpenTelemetry layer listens.
        let _ = span.set_parent(parent);
        Some(span)
    };
    traceparents.iter().filter_map(in_trace).collect()
}

/// Spans `view.publish`, one in each epoch's span.
pub(super) fn publish_spans(epochs: &[Span], views: usize) -> Vec<Span> {
    let inside = |epoch: &Span| tracing::info_span!(parent: epoch, "view.publish", views);
    epochs.iter().map(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sound_parents_are_followed() {
        let sound =
            parent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").expect("parent");
        let context = sound.span().span_context().clone();
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert!(context.is_remote() && context.is_sampled());
        for unsound in ["", "00-0-0-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01"]
        {
            assert!(parent(unsound).is_none(), "{unsound:?}");
        }
    }
}
