//! Probes, metrics, status, traces, documents.

use std::collections::BTreeMap;

use millrace_server::{Options, Part, Parts};
use serde_json::json;

use crate::harness::{Server, body, run};

#[test]
fn probes_tell_a_process_that_runs_from_one_that_works() {
    run(async {
        let server = Server::start().await;
        let ready = server.get("/healthz").send().await.expect("an answer");
        assert_eq!(ready.status(), 200);
        assert_eq!(body(ready).await["parts"]["postgres"]["state"], "ready");

        let parts =
            || BTreeMap::from([("clickhouse".to_owned(), Part::down("it does not answer"))]);
        let server = Server::start_with(Options::default(), Parts::new(parts)).await;
        assert_eq!(server.get("/healthz/live").send().await.expect("an answer").status(), 200);
        for path in ["/healthz", "/healthz/ready"] {
            let down = server.get(path).send().await.expect("an answer");
            assert_eq!(down.status(), 503);
            let health = body(down).await;
            assert_eq!(health["state"], "down");
            assert_eq!(
                health["parts"]["clickhouse"],
                json!({"state": "down", "detail": "it does not answer"})
            );
        }

        server.kernel.close().await;
        let lost = body(server.get("/healthz").send().await.expect("an answer")).await;
        assert_eq!(lost["parts"]["postgres"]["state"], "down");
    });
}

#[test]
fn each_route_has_rate_errors_and_duration() {
    run(async {
        let server = Server::start().await;
        server.log_in("nobody@example.com", "guess").await;
        server.get("/api/v1/made-up").send().await.expect("an answer");
        let text = server.get("/metrics").send().await.expect("an answer");
        assert_eq!(text.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        let text = text.text().await.expect("text");
        let login = "method=\"POST\",route=\"/auth/login\",status=\"401\"";
        assert!(text.contains(&format!("millrace_http_requests_total{{{login}}}")), "{text}");
        assert!(
            text.contains(&format!("millrace_http_request_seconds_bucket{{{login},le=\"0.1\"}}"))
        );
        assert!(text.contains("millrace_http_requests_in_flight"));
        assert!(text.contains("route=\"other\"") && !text.contains("made-up"), "few labels");
    });
}

#[test]
fn request_id_and_trace_go_through() {
    run(async {
        let server = Server::start().await;
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let request = server
            .get("/api/v1/me")
            .header("x-request-id", "till-7.42")
            .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"));
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["x-request-id"], "till-7.42");
        let parent = response.headers()["traceparent"].to_str().expect("text").to_owned();
        assert!(
            parent.starts_with(&format!("00-{trace}-")) && !parent.contains("b7ad6b7169203331")
        );
        assert_eq!(body(response).await["trace_id"], trace);

        let odd = server.get("/api/v1/me").header("x-request-id", "a b\tc");
        let response = odd.send().await.expect("an answer");
        let made = response.headers()["x-request-id"].to_str().expect("text");
        assert_eq!(made.len(), 36, "a new id instead of what can't be logged safely");
    });
}

#[test]
fn json_is_compressed_where_the_caller_takes_it() {
    run(async {
        let server = Server::start().await;
        let request = server.get("/openapi.json").header("accept-encoding", "gzip");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.headers()["content-encoding"], "gzip");
    });
}

#[test]
fn only_named_origins_may_call_from_elsewhere() {
    run(async {
        let options = Options {
            cors_origins: vec!["https://erp.example.com".to_owned()],
            ..Options::default()
        };
        let server = Server::start_with(options, Parts::default()).await;
        let allowed = async |origin: &str| {
            let request = server.get("/healthz/live").header("origin", origin);
            let response = request.send().await.expect("an answer");
            response.headers().get("access-control-allow-origin").is_some()
        };
        assert!(allowed("https://erp.example.com").await);
        assert!(!allowed("https://evil.example.com").await);
    });
}
