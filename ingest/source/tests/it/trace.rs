//! An epoch's span leads back to the commands whose events it holds.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use millrace_source::{Cut, Message, Source};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt;

use crate::broker::{Broker, epochs_up_to};
use crate::given::{self, Given};

#[derive(Clone, Debug, Default)]
struct Spans(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Spans {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().expect("no test panics here").extend(batch);
        Ok(())
    }
}

#[tokio::test]
async fn an_epoch_is_linked_to_the_traces_of_its_events() -> anyhow::Result<()> {
    let spans = Spans::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(spans.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    // For the whole process: the source's thread is not this one.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    let broker = Broker::start().await?;
    let mut given = Given::seed(41);
    let trace = |at: usize| format!("{:032x}", 0xABCD_0000 + at);
    let log: Vec<Message> = given::log((0..10).map(|_| given.transaction()).collect::<Vec<_>>())
        .into_iter()
        .map(|message| {
            let traceparent = format!("00-{}-00f067aa0ba902b7-01", trace(message.lsn.0 as usize));
            Message { traceparent: Some(traceparent.into()), ..message }
        })
        .collect();
    broker.append(&log)?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    let epochs = epochs_up_to(&mut source, log.len()).await?;
    source.close().await;

    let expected: HashSet<String> = log.iter().map(|it| trace(it.lsn.0 as usize)).collect();
    let handed: HashSet<String> = epochs
        .iter()
        .flat_map(|epoch| &epoch.traceparents)
        .map(|traceparent| traceparent[3..35].to_owned())
        .collect();
    assert_eq!(handed, expected);
    let spans = spans.0.lock().expect("no test panics here");
    let linked: HashSet<String> = spans
        .iter()
        .filter(|span| span.name == "source.epoch")
        .flat_map(|span| &span.links.links)
        .map(|link| link.span_context.trace_id().to_string())
        .filter(|id| expected.contains(id))
        .collect();
    assert_eq!(linked, expected);
    Ok(())
}
