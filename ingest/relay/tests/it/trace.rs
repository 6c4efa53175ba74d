//! The relay takes part in the trace that a command began.

use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, ensure};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::bench::{Bench, Row, eventually, stop, until_position};

#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().expect("no panic").extend(batch);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_carries_the_relays_span_in_the_commands_trace() -> Result<()> {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("test")))
        .try_init()?;
    let (trace, command) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let bench = Bench::start().await?;
    let relay = bench.lead(bench.options()).await?;
    let traced =
        Row { traceparent: Some(format!("00-{trace}-{command}-01")), ..Row::new("k", "{}") };
    let unsampled =
        Row { traceparent: Some(format!("00-{trace}-{command}-00")), ..Row::new("k", "{}") };
    let broken = Row { traceparent: Some("nonsense".into()), ..Row::new("k", "{}") };
    bench.commit(&[traced, unsampled.clone(), broken, Row::new("k", "{}")]).await?;
    until_position(&relay, 4).await?;
    eventually("the span exported", || async { Ok(!kept.0.lock().expect("no panic").is_empty()) })
        .await?;
    stop(relay).await?;

    let spans = kept.0.lock().expect("no panic").clone();
    let publish: Vec<_> = spans.iter().filter(|span| span.name == "relay.publish").collect();
    ensure!(publish.len() == 1, "{publish:?}");
    let (span, context) = (publish[0], &publish[0].span_context);
    ensure!(context.trace_id().to_string() == trace);
    ensure!(span.parent_span_id.to_string() == command);
    let log = bench.whole_log().await?;
    let sent = log[0].traceparent.as_deref().context("no traceparent")?;
    ensure!(sent == format!("00-{trace}-{}-01", context.span_id()), "{sent}");
    ensure!(log[1].traceparent == unsampled.traceparent);
    ensure!(log[3].traceparent.is_none());
    Ok(())
}
