//! A request's span joins the caller's trace and reaches a collector.

use opentelemetry_proto::tonic::common::v1::any_value::Value;

use crate::harness::{Server, process, run};

#[test]
fn a_sampled_request_is_one_span_under_its_caller() {
    run(async {
        let server = Server::start().await;
        let (trace, parent) = ("1af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        let request = server
            .get("/api/v1/views/live_nothing")
            .header("traceparent", format!("00-{trace}-{parent}-01"));
        assert_eq!(request.send().await.expect("an answer").status(), 401);
        process().telemetry.flush().await;

        let spans = process().collector.trace(trace);
        let [span] = spans.as_slice() else { panic!("{spans:?}") };
        assert_eq!(span.name, "GET /api/v1/views/{name}");
        assert_eq!(hex::encode(&span.parent_span_id), parent);
        let status = span.attributes.iter().find(|kv| kv.key == "http.response.status_code");
        let status = status.and_then(|kv| kv.value.clone()).and_then(|value| value.value);
        assert_eq!(status, Some(Value::IntValue(401)));
    });
}

#[test]
fn a_request_nobody_samples_is_not_exported() {
    run(async {
        let server = Server::start().await;
        let trace = "2af7651916cd43dd8448eb211c80319c";
        let request = server
            .get("/api/v1/me")
            .header("traceparent", format!("00-{trace}-b7ad6b7169203331-00"));
        request.send().await.expect("an answer");
        process().telemetry.flush().await;
        assert!(process().collector.trace(trace).is_empty());
    });
}
