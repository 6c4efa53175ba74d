//! API-1: one idempotency key, one effect, one response.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use millrace_kernel::{KEY_AGE, maintain};
use serde_json::json;

use crate::invariants::assert_hold;
use crate::world::{SERVICES, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sent_many_times_at_once_has_one_effect_and_one_response() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("cashier", &[world.shop]);
    let body = json!({
        "shop_id": world.shop,
        "lines": [{"product_id": world.products[1], "quantity": 2}],
        "tenders": [{"tender": "cash", "amount": 100}],
    })
    .to_string();
    let post = (Method::POST, "/api/v1/pos/invoice");
    let headers = [("idempotency-key", "till-1-000001")];
    let all = (0..24).map(|_| server.send(&token, post.clone(), &headers, body.clone()));
    let answers = futures::future::try_join_all(all).await?;
    let mut bodies = Vec::new();
    for answer in answers {
        match answer.status {
            StatusCode::CREATED => bodies.push(answer.text),
            StatusCode::CONFLICT => {
                assert_eq!(answer.json()["code"], "idempotency_in_flight");
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
            status => panic!("{status}: {}", answer.text),
        }
    }
    let again = server.send(&token, post.clone(), &headers, body.clone()).await?;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert!(again.header("millrace-token").is_some());
    assert!(!bodies.is_empty() && bodies.iter().all(|body| *body == again.text));
    assert_eq!(world.scalar::<i64>("select count(*) from sales.invoices").await?, 1);

    let other = body.replace("\"quantity\":2", "\"quantity\":3");
    let refused = server.send(&token, post, &headers, other).await?;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(refused.json()["code"], "idempotency_key_reused");
    assert_hold(&world).await
}

#[tokio::test]
async fn a_refused_command_leaves_its_key_free() -> anyhow::Result<()> {
    let world = World::new().await?;
    let context = world.system().with_key("k");
    let too_many = world.basket(&[(world.products[0], 101)]);
    assert!(world.kernel.run(&context, &too_many).await.is_err());
    let enough = world.basket(&[(world.products[0], 100)]);
    let first = world.kernel.run(&context, &enough).await?;
    let second = world.kernel.run(&context, &enough).await?;
    assert!(!first.is_replay() && second.is_replay());
    assert_eq!(first.output()?.issued, second.output()?.issued);
    assert_hold(&world).await
}

#[tokio::test]
async fn keys_of_two_people_are_not_the_same_key() -> anyhow::Result<()> {
    let world = World::new().await?;
    let basket = world.basket(&[(world.products[0], 1)]);
    let ours = world.system().with_key("1");
    let mut theirs = ours.clone();
    theirs.actor = crate::world::actor("cashier", &[world.shop]);
    world.kernel.run(&ours, &basket).await?;
    assert!(!world.kernel.run(&theirs, &basket).await?.is_replay());
    assert_eq!(world.scalar::<i64>("select count(*) from sales.invoices").await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_week() -> anyhow::Result<()> {
    let world = World::new().await?;
    let context = world.system().with_key("old");
    let basket = world.basket(&[(world.products[0], 1)]);
    world.kernel.run(&context, &basket).await?;
    maintain(&world.kernel, &SERVICES).await?;
    assert!(world.kernel.run(&context, &basket).await?.is_replay());
    world.clock.advance(KEY_AGE + TimeDelta::seconds(1));
    maintain(&world.kernel, &SERVICES).await?;
    assert!(!world.kernel.run(&context, &basket).await?.is_replay());
    Ok(())
}
