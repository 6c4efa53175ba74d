//! Pages for people: the web app and the reference.

use crate::harness::{Server, run};

#[test]
fn the_reference_needs_nothing_from_elsewhere() {
    run(async {
        let server = Server::start().await;
        let page = server.get("/docs").send().await.expect("an answer");
        assert_eq!(page.status(), 200);
        let html = page.text().await.expect("text");
        assert!(html.contains("/openapi.json"));
        assert!(!html.contains("https://") && !html.contains("http://"));
    });
}

#[test]
fn a_page_nobody_made_is_not_found_and_says_so_in_html() {
    run(async {
        let server = Server::start().await;
        let page = server.get("/no/such/page").header("accept", "text/html");
        let response = page.send().await.expect("an answer");
        assert!(matches!(response.status().as_u16(), 404 | 503), "{}", response.status());
        assert!(
            response.headers()["content-type"].to_str().expect("text").starts_with("text/html")
        );
        assert!(response.headers().contains_key("content-security-policy"));
        let script = server.get("/no/such.js").header("accept", "application/javascript");
        assert_eq!(script.send().await.expect("an answer").status(), 404);
    });
}
