//! Whatever goes wrong below `/api` and `/auth` is a problem document.

use millrace_server::{Options, Parts};
use serde_json::json;

use crate::harness::{Server, problem, run};

#[test]
fn bad_bodies_name_what_is_wrong() {
    run(async {
        let server = Server::start().await;
        let (status, empty) =
            problem(server.post("/auth/login", &json!({"email": "", "password": ""})).await).await;
        let fields: Vec<_> = empty["errors"]
            .as_array()
            .expect("errors")
            .iter()
            .map(|error| error["field"].as_str().unwrap_or_default().to_owned())
            .collect();
        assert_eq!((status, fields), (422, vec!["email".to_owned(), "password".to_owned()]));

        let extra = json!({"email": "a@b.c", "password": "x", "admin": true});
        let (status, unknown) = problem(server.post("/auth/login", &extra).await).await;
        assert_eq!((status, &unknown["errors"][0]["field"]), (422, &json!("admin")));

        let url = format!("{}/auth/login", server.base);
        let text = server.client.post(&url).body("{}").send().await.expect("an answer");
        assert_eq!(problem(text).await.0, 400);
        let cut = server.client.post(&url).header("content-type", "application/json").body("{");
        assert_eq!(problem(cut.send().await.expect("an answer")).await.0, 400);
    });
}

#[test]
fn unknown_paths_and_methods_are_told_apart() {
    run(async {
        let server = Server::start().await;
        let missing = server.get("/api/v1/nothing").send().await.expect("an answer");
        let (status, missing) = problem(missing).await;
        assert_eq!((status, &missing["code"]), (404, &json!("not_found")));
        let wrong = server.get("/auth/login").send().await.expect("an answer");
        assert_eq!(wrong.headers()["allow"], "POST");
        let (status, wrong) = problem(wrong).await;
        assert_eq!((status, &wrong["code"]), (405, &json!("method_not_allowed")));
    });
}

#[test]
fn a_body_too_large_is_refused_unread() {
    run(async {
        let options = Options { body_bytes_max: 1_000, ..Options::default() };
        let server = Server::start_with(options, Parts::default()).await;
        let large = json!({"email": "a@b.c", "password": "x".repeat(2_000)});
        let (status, refused) = problem(server.post("/auth/login", &large).await).await;
        assert_eq!((status, &refused["code"]), (413, &json!("body_too_large")));
    });
}
