//! Products and customers: created, listed, changed without losing anybody's update.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn nobodys_update_is_lost() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("manager", &[world.shop]);
    let uri = format!("/api/v1/products/{}", world.products[0]);
    let read = server.send(&token, (Method::GET, &uri), &[], "").await?;
    let etag = read.header("etag").expect("etag").to_owned();
    let mut product = read.json();
    product.as_object_mut().expect("object").remove("version");
    product["price"] = json!("12.5");
    let put = (Method::PUT, uri.as_str());
    let body = product.to_string();
    let needed = server.send(&token, put.clone(), &[], body.clone()).await?;
    assert_eq!(needed.status, StatusCode::PRECONDITION_REQUIRED);
    let first = server.send(&token, put.clone(), &[("if-match", &etag)], body.clone()).await?;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text);
    assert_eq!(first.header("etag"), Some("\"2\""));
    let stale = server.send(&token, put.clone(), &[("if-match", &etag)], body).await?;
    assert_eq!(
        (stale.status, stale.json()["code"].clone()),
        (StatusCode::PRECONDITION_FAILED, json!("stale_version"))
    );

    let delete = (Method::DELETE, uri.as_str());
    let deleted = server.send(&token, delete, &[("if-match", "*")], "").await?;
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.text);
    let refused = world.sell(&[(world.products[0], 1)]).await.unwrap_err();
    assert!(refused.to_string().contains("lines[0].product_id"), "{refused}");
    let events: String = world
        .scalar(
            "select string_agg(event_type, ' ' order by (envelope::jsonb ->> 'event_id')) \
             from product.outbox where aggregate_id = '00000000-0000-0000-0000-000000000001'",
        )
        .await?;
    assert_eq!(events, "product.created product.updated product.deleted");
    Ok(())
}

#[tokio::test]
async fn a_customer_is_changed_in_the_version_seen_and_told_whole() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("manager", &[world.shop]);
    let uri = format!("/api/v1/customers/{}", world.customer);
    let read = server.send(&token, (Method::GET, &uri), &[], "").await?;
    assert_eq!((read.status, read.header("etag")), (StatusCode::OK, Some("\"1\"")));
    let mut customer = read.json();
    customer.as_object_mut().expect("object").remove("version");
    customer["name"] = json!("Asha Rao");
    customer["email"] = json!("asha@example.com");
    customer["is_active"] = json!(false);
    let put = (Method::PUT, uri.as_str());
    let body = customer.to_string();
    let needed = server.send(&token, put.clone(), &[], body.clone()).await?;
    assert_eq!(needed.status, StatusCode::PRECONDITION_REQUIRED);
    let updated = server.send(&token, put.clone(), &[("if-match", "\"1\"")], body.clone()).await?;
    assert_eq!(updated.status, StatusCode::OK, "{}", updated.text);
    assert_eq!(updated.header("etag"), Some("\"2\""));
    let stale = server.send(&token, put.clone(), &[("if-match", "\"1\"")], body).await?;
    assert_eq!(
        (stale.status, stale.json()["code"].clone()),
        (StatusCode::PRECONDITION_FAILED, json!("stale_version"))
    );

    let payload: serde_json::Value = world
        .scalar(
            "select envelope::jsonb -> 'payload' from party.outbox \
             where event_type = 'customer.updated'",
        )
        .await?;
    assert_eq!(payload, customer);
    let read = server.send(&token, (Method::GET, &uri), &[], "").await?.json();
    customer["version"] = json!(2);
    assert_eq!(read, customer);

    let mut basket = world.basket(&[(world.products[0], 1)]);
    basket.customer_id = Some(world.customer);
    let refused = world.kernel.run(&world.system(), &basket).await.unwrap_err();
    assert!(refused.to_string().contains("customer_id"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_change_of_a_customer_names_what_is_wrong_with_it() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("manager", &[world.shop]);
    let post = (Method::POST, "/api/v1/customers");
    let other = json!({"code": "C2", "name": "Bela"}).to_string();
    let other = server.send(&token, post, &[], other).await?.json();
    let other = other["customer_id"].as_str().expect("id").to_owned();
    let uri = format!("/api/v1/customers/{}", world.customer);
    let put = |uri: &str, body: serde_json::Value| {
        let (server, token, uri) = (&server, &token, uri.to_owned());
        async move {
            server.send(token, (Method::PUT, &uri), &[("if-match", "*")], body.to_string()).await
        }
    };
    let wrong = json!({"customer_id": other, "code": "C1", "name": "", "phone": "12"});
    let wrong = put(&uri, wrong).await?;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.fields(), ["name", "phone", "customer_id"]);
    let taken = put(&uri, json!({"code": "C2", "name": "Asha"})).await?;
    assert_eq!((taken.status, taken.fields()), (StatusCode::CONFLICT, vec!["code".to_owned()]));
    let nobody = "/api/v1/customers/00000000-0000-0000-0000-0000000000ff";
    let nobody = put(nobody, json!({"code": "C3", "name": "Nobody"})).await?;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    let buyer = server.token("buyer", &[world.shop]);
    let body = json!({"code": "C1", "name": "Asha"}).to_string();
    let barred = server.send(&buyer, (Method::PUT, &uri), &[("if-match", "*")], body).await?;
    let events: i64 = world
        .scalar("select count(*) from party.outbox where event_type = 'customer.updated'")
        .await?;
    assert_eq!((barred.status, events), (StatusCode::FORBIDDEN, 0));
    Ok(())
}

#[tokio::test]
async fn lists_come_in_pages_and_duplicates_name_their_field() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("manager", &[world.shop]);
    let uri = "/api/v1/products?sort=price:desc&limit=2&page=2&is_active=true";
    let page = server.send(&token, (Method::GET, uri), &[], "").await?.json();
    assert_eq!((&page["total"], &page["page"]), (&json!(6), &json!(2)));
    let skus: Vec<_> =
        page["rows"].as_array().expect("rows").iter().map(|row| row["sku"].clone()).collect();
    assert_eq!(skus, ["SKU-4", "SKU-3"]);

    let refused =
        server.send(&token, (Method::GET, "/api/v1/products?colour=red"), &[], "").await?;
    assert_eq!(
        (refused.status, refused.fields()),
        (StatusCode::UNPROCESSABLE_ENTITY, vec!["colour".to_owned()])
    );

    let category = page["rows"][0]["category_id"].clone();
    let body = json!({
        "sku": "SKU-1", "name": "Again", "category_id": category, "unit": "EA",
        "price": 1, "standard_cost": 1, "tax_rate": 5,
    });
    let post = (Method::POST, "/api/v1/products");
    let duplicate = server.send(&token, post.clone(), &[], body.to_string()).await?;
    assert_eq!(
        (duplicate.status, duplicate.fields()),
        (StatusCode::CONFLICT, vec!["sku".to_owned()])
    );
    let mut orphan = body;
    orphan["sku"] = json!("SKU-X");
    orphan["category_id"] = json!(world.shop);
    let orphan = server.send(&token, post, &[], orphan.to_string()).await?;
    assert_eq!(
        (orphan.status, orphan.fields()),
        (StatusCode::UNPROCESSABLE_ENTITY, vec!["category_id".to_owned()])
    );
    Ok(())
}

#[tokio::test]
async fn a_large_promotion_comes_as_several_events() -> anyhow::Result<()> {
    let world = World::with_products(1500).await?;
    let server = world.server();
    let token = server.token("manager", &[world.shop]);
    let items: Vec<_> =
        world.products.iter().map(|id| json!({"product_id": id, "mailer": "front"})).collect();
    let body = json!({
        "shop_id": world.shop, "starts_on": "2026-03-02", "ends_on": "2026-03-08", "items": items,
    });
    let post = (Method::POST, "/api/v1/promotions");
    let planned = server.send(&token, post.clone(), &[], body.to_string()).await?;
    assert_eq!((planned.status, &planned.json()["items"]), (StatusCode::CREATED, &json!(1500)));
    let sizes: String = world
        .scalar(
            "select string_agg(jsonb_array_length(envelope::jsonb -> 'payload' -> 'items')::text, ' ' \
                 order by event_id) from product.outbox where event_type = 'promotion.planned'",
        )
        .await?;
    assert_eq!(sizes, "1000 500");
    let mut wrong = body;
    wrong["ends_on"] = json!("2026-03-01");
    wrong["items"][1] = wrong["items"][0].clone();
    let refused = server.send(&token, post, &[], wrong.to_string()).await?;
    assert_eq!(refused.fields(), ["ends_on", "items[1].product_id"]);
    Ok(())
}
