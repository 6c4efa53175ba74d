//! API-1: one idempotency key, one effect, one response.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use millrace_kernel::{KEY_AGE, maintain};
use millrace_party::CreateCustomer;
use millrace_product::PlanPromotion;
use millrace_product::promotion::plan::PlannedItem;
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
async fn a_replay_leaves_nothing_of_what_it_had_begun() -> anyhow::Result<()> {
    let world = World::new().await?;
    let today = world.kernel.now().date_naive();
    let plan = PlanPromotion {
        promotion_id: None,
        shop_id: world.shop,
        starts_on: today,
        ends_on: today,
        items: vec![PlannedItem {
            product_id: world.products[0],
            display: Some("end cap".into()),
            mailer: None,
        }],
    };
    let customer = CreateCustomer {
        customer_id: None,
        code: "C-77".into(),
        name: "Asha".into(),
        customer_group: None,
        phone: None,
        email: None,
        gstin: None,
        is_active: true,
    };
    let basket = world.basket(&[(world.products[0], 2)]);
    let (planned, created, sold) =
        (world.system().with_key("p"), world.system().with_key("c"), world.system().with_key("s"));
    // The second time, the connection knows each statement and sends it with the key.
    for time in 0..4 {
        assert_eq!(world.kernel.run(&planned, &plan).await?.is_replay(), time > 0);
        assert_eq!(world.kernel.run(&created, &customer).await?.is_replay(), time > 0);
        assert_eq!(world.kernel.run(&sold, &basket).await?.is_replay(), time > 0);
        world.sell(&[(world.products[1], 1)]).await?;
    }
    let count = "select count(*) from product.promotions";
    assert_eq!(world.scalar::<i64>(count).await?, 1);
    let count = "select count(*) from party.customers where code = 'C-77'";
    assert_eq!(world.scalar::<i64>(count).await?, 1);
    assert_eq!(world.scalar::<i64>("select count(*) from sales.invoices").await?, 5);
    assert_hold(&world).await
}

/// Goods that somebody holds keep neither a refusal nor a stored answer waiting.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_replays_do_not_wait_for_goods() -> anyhow::Result<()> {
    let world = World::new().await?;
    let product = world.products[0];
    let context = world.system().with_key("k");
    let basket = world.basket(&[(product, 1)]);
    world.kernel.run(&context, &basket).await?;
    let mut holder = world.kernel.pool().begin().await?;
    sqlx::query("select from inventory.stock where product_id = $1 for update")
        .bind(product)
        .fetch_all(&mut *holder)
        .await?;
    let soon = std::time::Duration::from_secs(5);
    let replayed = tokio::time::timeout(soon, world.kernel.run(&context, &basket)).await??;
    assert!(replayed.is_replay());
    let mut wrong = basket.clone();
    wrong.tenders.clear();
    wrong.customer_id = Some(millrace_events::CustomerId::new());
    let refused = tokio::time::timeout(soon, world.kernel.run(&world.system(), &wrong)).await?;
    assert_eq!(refused.err().map(|error| error.code()), Some("invalid"));
    holder.rollback().await?;
    world.sell(&[(product, 1)]).await?;
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
