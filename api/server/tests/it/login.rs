//! Logins, refresh tokens and the lock-out.

use chrono::TimeDelta;
use millrace_events::ShopId;
use millrace_server::identity::{DEMO_EMAIL, seed_demo_user};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::harness::{PASSWORD, Server, body, problem, run};

#[test]
fn a_login_opens_the_api_for_fifteen_minutes() {
    run(async {
        let server = Server::start().await;
        let shop = ShopId::new();
        server.add_user("Asha@Example.com", &["cashier"], &[shop]).await;
        let response = server.log_in(" asha@example.COM ", PASSWORD).await;
        assert_eq!(response.status(), 200);
        let grant = body(response).await;
        assert_eq!(grant["token_type"], "Bearer");
        assert_eq!(grant["expires_in"], 900);
        assert_eq!(grant["user"]["email"], "asha@example.com");
        assert_eq!(grant["user"]["shops"], json!([shop]));

        let me = || server.get("/api/v1/me").bearer_auth(text(&grant, "access_token"));
        let response = me().send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(body(response).await, grant["user"]);

        server.clock.advance(TimeDelta::minutes(16));
        let (status, refused) = problem(me().send().await.expect("an answer")).await;
        assert_eq!((status, &refused["code"]), (401, &json!("unauthenticated")));
    });
}

#[test]
fn without_a_token_or_with_a_made_up_one_nothing_is_told() {
    run(async {
        let server = Server::start().await;
        for path in ["/api/v1/me", "/api/v1/status"] {
            let (status, _) = problem(server.get(path).send().await.expect("an answer")).await;
            assert_eq!(status, 401, "{path}");
            let forged = server.get(path).bearer_auth("eyJhbGciOiJub25lIn0.e30.");
            let (status, _) = problem(forged.send().await.expect("an answer")).await;
            assert_eq!(status, 401, "{path}");
        }
    });
}

#[test]
fn a_wrong_password_and_an_unknown_address_look_the_same() {
    run(async {
        let server = Server::start().await;
        server.add_user("asha@example.com", &[], &[]).await;
        let (status, wrong) = problem(server.log_in("asha@example.com", "guess").await).await;
        let (_, unknown) = problem(server.log_in("nobody@example.com", "guess").await).await;
        assert_eq!((status, &wrong["code"]), (401, &json!("credentials")));
        assert_eq!(
            (&wrong["code"], &wrong["detail"], &wrong["title"]),
            (&unknown["code"], &unknown["detail"], &unknown["title"])
        );
    });
}

#[test]
fn guessing_is_locked_out_also_when_all_guesses_come_at_once() {
    run(async {
        let server = Server::start().await;
        server.add_user("asha@example.com", &[], &[]).await;
        let guesses = (0..20).map(|_| server.log_in("asha@example.com", "guess"));
        let mut looked_at = 0;
        let mut locked = 0;
        for response in futures::future::join_all(guesses).await {
            match response.status().as_u16() {
                401 => looked_at += 1,
                429 => {
                    assert!(response.headers().contains_key("retry-after"));
                    locked += 1;
                }
                other => panic!("status {other}"),
            }
        }
        assert_eq!((looked_at, locked), (5, 15));

        let (status, refused) = problem(server.log_in("asha@example.com", PASSWORD).await).await;
        assert_eq!((status, &refused["code"]), (429, &json!("login_locked")));
        server.clock.advance(TimeDelta::seconds(31));
        assert_eq!(server.log_in("asha@example.com", "guess").await.status(), 401);
        server.clock.advance(TimeDelta::seconds(31));
        let doubled = server.log_in("asha@example.com", PASSWORD).await;
        assert_eq!(doubled.status(), 429, "the sixth failure locks for a minute");
        server.clock.advance(TimeDelta::seconds(31));
        assert_eq!(server.log_in("asha@example.com", PASSWORD).await.status(), 200);
        let wrong = server.log_in("asha@example.com", "guess").await;
        assert_eq!(wrong.status(), 401, "a good login forgets the failures before it");
    });
}

#[test]
fn a_refresh_token_works_once_and_its_copy_ends_the_session() {
    run(async {
        let server = Server::start().await;
        server.add_user("asha@example.com", &[], &[]).await;
        let first = body(server.log_in("asha@example.com", PASSWORD).await).await;
        let refreshed = refresh(&server, &first).await;
        assert_eq!(refreshed.status(), 200);
        let second = body(refreshed).await;
        assert_ne!(first["refresh_token"], second["refresh_token"]);

        let (status, reused) = problem(refresh(&server, &first).await).await;
        assert_eq!((status, &reused["code"]), (401, &json!("refresh_token_reused")));
        let (status, ended) = problem(refresh(&server, &second).await).await;
        assert_eq!((status, &ended["code"]), (401, &json!("refresh_token_unknown")));

        let other = body(server.log_in("asha@example.com", PASSWORD).await).await;
        assert_eq!(refresh(&server, &other).await.status(), 200, "other sessions go on");
    });
}

#[test]
fn of_two_refreshes_at_once_one_wins() {
    run(async {
        let server = Server::start().await;
        server.add_user("asha@example.com", &[], &[]).await;
        let grant = body(server.log_in("asha@example.com", PASSWORD).await).await;
        let (one, two) = tokio::join!(refresh(&server, &grant), refresh(&server, &grant));
        let mut statuses = [one.status().as_u16(), two.status().as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
    });
}

#[test]
fn a_session_ends_by_logout_and_by_age() {
    run(async {
        let server = Server::start().await;
        server.add_user("asha@example.com", &[], &[]).await;
        let left = body(server.log_in("asha@example.com", PASSWORD).await).await;
        let token = json!({"refresh_token": left["refresh_token"]});
        assert_eq!(server.post("/auth/logout", &token).await.status(), 204);
        assert_eq!(refresh(&server, &left).await.status(), 401);

        let kept = body(server.log_in("asha@example.com", PASSWORD).await).await;
        server.clock.advance(TimeDelta::days(7));
        assert_eq!(refresh(&server, &kept).await.status(), 401);
    });
}

#[test]
fn the_demo_user_gets_a_new_password_each_time() {
    run(async {
        let server = Server::start().await;
        let old = seed_demo_user(&server.kernel).await.expect("a password");
        let grant = body(server.log_in(DEMO_EMAIL, old.expose_secret()).await).await;
        assert_eq!(grant["user"]["roles"], json!(["admin"]));
        let new = seed_demo_user(&server.kernel).await.expect("a password");
        assert_eq!(server.log_in(DEMO_EMAIL, old.expose_secret()).await.status(), 401);
        assert_eq!(server.log_in(DEMO_EMAIL, new.expose_secret()).await.status(), 200);
        assert_eq!(refresh(&server, &grant).await.status(), 401, "old sessions have ended");
    });
}

#[test]
fn nothing_that_opens_the_api_is_stored_in_clear() {
    run(async {
        let server = Server::start().await;
        server.add_user("asha@example.com", &[], &[]).await;
        let grant = body(server.log_in("asha@example.com", PASSWORD).await).await;
        let stored: Vec<String> = sqlx::query_scalar(
            "select t::text from identity.refresh_tokens t union all select u::text from identity.users u",
        )
        .fetch_all(server.kernel.pool())
        .await
        .expect("rows");
        assert_eq!(stored.len(), 2);
        for row in stored {
            assert!(
                !row.contains(text(&grant, "refresh_token")) && !row.contains(PASSWORD),
                "{row}"
            );
        }
    });
}

async fn refresh(server: &Server, grant: &Value) -> reqwest::Response {
    server.post("/auth/refresh", &json!({"refresh_token": grant["refresh_token"]})).await
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().expect("text")
}
