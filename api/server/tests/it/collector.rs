//! An OTLP collector that remembers what it was sent.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use parking_lot::Mutex;
use prost::Message;
use tokio::net::TcpListener;

#[derive(Clone, Default)]
pub struct Collector(Arc<Mutex<Vec<Span>>>);

impl Collector {
    /// Listens on a free port; its base URL comes too.
    pub async fn start() -> (Self, String) {
        let collector = Self::default();
        let kept = collector.clone();
        let keep = async move |body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
            let scopes = request.resource_spans.into_iter().flat_map(|spans| spans.scope_spans);
            kept.0.lock().extend(scopes.flat_map(|scope| scope.spans));
        };
        let router = Router::new().route("/v1/traces", post(keep));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, url)
    }

    /// The spans of a trace, by its id in hex.
    pub fn trace(&self, trace_id: &str) -> Vec<Span> {
        let spans = self.0.lock();
        spans.iter().filter(|span| hex::encode(&span.trace_id) == trace_id).cloned().collect()
    }
}
