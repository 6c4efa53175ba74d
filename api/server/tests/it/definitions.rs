//! Views that people define over HTTP: who may, what is refused, what is said to the log.

use millrace_server::{Options, Parts};
use serde_json::{Value, json};

use crate::feed::Shopfloor;
use crate::harness::{Server, body, problem, run};

const TEXT: &str = "-- key: shop_id\nselect shop_id, count(*) as n from sale group by shop_id";

/// What the outbox says of views.
async fn said(server: &Server) -> Vec<(String, Value)> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select event_type, envelope from identity.outbox where topic = 'views.events.v1' order by recorded_at",
    )
    .fetch_all(server.kernel.pool())
    .await
    .expect("rows");
    let payload = |envelope: String| {
        let mut envelope: Value = serde_json::from_str(&envelope).expect("JSON");
        envelope["payload"].take()
    };
    rows.into_iter().map(|(event_type, envelope)| (event_type, payload(envelope))).collect()
}

#[test]
fn a_definition_is_checked_and_said_to_the_log_with_its_author() {
    run(async {
        let floor = Shopfloor::open().await;
        let options = Options::default();
        let server =
            Server::start_on(options, Parts::default(), Some(floor.pipeline.clone())).await;
        let admin = server.token_of("admin@example.com", &["admin"], &[]).await;
        let manager = server.token_of("mina@example.com", &["manager"], &[]).await;
        let create = async |token: &str, name: &str, text: &str| {
            let request = server.client.post(format!("{}/api/v1/views", server.base));
            let request = request.json(&json!({"name": name, "text": text}));
            request.bearer_auth(token).send().await.expect("an answer")
        };
        let (status, refused) = problem(create(&manager, "mine", TEXT).await).await;
        assert_eq!((status, &refused["code"]), (403, &json!("forbidden")));
        for (name, text, status, code, says) in [
            (
                "mine",
                "-- key: shop_id\nselect shop from sale",
                422,
                "view_definition",
                "line 2, column 8",
            ),
            ("mine", "-- key: r\nselect random() as r from sale", 422, "unsupported", "random()"),
            ("live_test_total", TEXT, 409, "view_of_product", "comes with Millrace"),
            ("mine", &"x".repeat(70_000), 422, "invalid", "65536 bytes"),
        ] {
            let (was, refused) = problem(create(&admin, name, text).await).await;
            assert_eq!((was, &refused["code"]), (status, &json!(code)), "{refused}");
            assert!(refused.to_string().contains(says), "{refused}");
        }
        assert!(said(&server).await.is_empty(), "what was refused is not said");

        let created = create(&admin, "mine", TEXT).await;
        assert_eq!(created.status(), 202);
        assert!(created.headers().contains_key("millrace-token"));
        let created = body(created).await;
        assert_eq!((&created["name"], &created["text"]), (&json!("mine"), &json!(TEXT)));
        let events = said(&server).await;
        assert_eq!(events, [("view.defined".to_owned(), created.clone())]);
        assert_ne!(created["defined_by"], json!(null));

        // This pipeline reads another log: to it nobody has defined anything.
        for (path, method) in [("mine", "put"), ("mine", "delete"), ("mine/definition", "get")] {
            let path = format!("{}/api/v1/views/{path}", server.base);
            let request = match method {
                "put" => server.client.put(path).json(&json!({"text": TEXT})),
                "delete" => server.client.delete(path),
                _ => server.client.get(path),
            };
            let response = request.bearer_auth(&admin).send().await.expect("an answer");
            let (status, unknown) = problem(response).await;
            assert_eq!((status, &unknown["code"]), (404, &json!("unknown_view")), "{method}");
        }
        floor.close().await;
    });
}
