//! One sale is one trace, from the till to the view.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use axum::{Router, http::StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use parking_lot::Mutex;
use prost::Message;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::program::Program;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const TILL_SPAN: &str = "b7ad6b7169203331";
/// Spans are exported in batches every few seconds.
const ARRIVE_MAX: Duration = Duration::from_secs(60);

/// Names of the spans of the trace, with the trace's own parent links.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(String, String, String)>>>);

async fn collect(State(collector): State<Collector>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    let spans = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    let mut kept = collector.0.lock();
    for span in spans.flat_map(|scope| scope.spans) {
        if hex::encode(&span.trace_id) == TRACE {
            kept.push((span.name, hex::encode(&span.span_id), hex::encode(&span.parent_span_id)));
        }
    }
    StatusCode::OK
}

#[tokio::test(flavor = "multi_thread")]
async fn till_relay_epoch_and_view_are_one_trace() {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    let router = Router::new().route("/v1/traces", post(collect)).with_state(collector.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });

    let (program, world) =
        Program::start_with(&[("MILLRACE__TELEMETRY__OTLP_ENDPOINT", &url)]).await;
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let operator = program.operator();
    let invoice = world.invoice(&mut random);
    let traceparent = format!("00-{TRACE}-{TILL_SPAN}-01");
    let _sold: Value = operator
        .post_traced("/api/v1/pos/invoice", &invoice, &traceparent)
        .await
        .expect("the invoice is issued");

    let expected =
        ["POST /api/v1/pos/invoice", "command", "relay.publish", "epoch", "view.publish"];
    let deadline = tokio::time::Instant::now() + ARRIVE_MAX;
    loop {
        let spans = collector.0.lock().clone();
        let names: BTreeSet<&str> = spans.iter().map(|(name, ..)| name.as_str()).collect();
        let has = |stage: &str| names.iter().any(|name| name.starts_with(stage));
        if expected.iter().all(|stage| has(stage)) {
            let ids: BTreeSet<&str> = spans.iter().map(|(_, id, _)| id.as_str()).collect();
            for (name, _, parent) in &spans {
                assert!(
                    parent == TILL_SPAN || ids.contains(parent.as_str()),
                    "{name} hangs in the air"
                );
            }
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "the trace holds only {names:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
