//! SEC-1: role, address and foreign shop.

use axum::http::{Method, StatusCode};
use millrace_events::ShopId;
use serde_json::json;

use crate::world::{World, open_shop};

#[tokio::test]
async fn a_foreign_shop_is_refused_or_not_there() -> anyhow::Result<()> {
    let world = World::new().await?;
    let foreign = ShopId::new();
    world.kernel.run(&world.system(), &open_shop(foreign, "DEL01")).await?;
    let sold = world.sell(&[(world.products[0], 1)]).await?.issued;
    let server = world.server();
    let outsider = server.token("manager", &[foreign]);
    let insider = server.token("manager", &[world.shop]);

    let (shop, product) = (world.shop, world.products[0]);
    let writes = [
        (
            "/api/v1/pos/invoice",
            json!({"shop_id": shop, "lines": [{"product_id": product, "quantity": 1}], "tenders": [{"tender": "cash"}]}),
        ),
        (
            "/api/v1/sales/returns",
            json!({"shop_id": shop, "invoice_id": sold.invoice_id, "lines": [{"invoice_line_no": 1, "quantity": 1}], "tenders": [{"tender": "cash"}]}),
        ),
        (
            "/api/v1/inventory/adjust",
            json!({"shop_id": shop, "reason_code": "count", "lines": [{"product_id": product, "quantity": 1}]}),
        ),
        (
            "/api/v1/purchases/grn",
            json!({"shop_id": shop, "vendor_id": world.vendor, "lines": [{"product_id": product, "quantity": 1, "unit_cost": 1}]}),
        ),
        (
            "/api/v1/promotions",
            json!({"shop_id": shop, "starts_on": "2026-03-02", "ends_on": "2026-03-08", "items": [{"product_id": product}]}),
        ),
    ];
    for (uri, body) in writes {
        let refused = server.send(&outsider, (Method::POST, uri), &[], body.to_string()).await?;
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (StatusCode::FORBIDDEN, &json!("forbidden")),
            "{uri}"
        );
        let done = server.send(&insider, (Method::POST, uri), &[], body.to_string()).await?;
        assert_eq!(done.status, StatusCode::CREATED, "{uri}: {}", done.text);
    }

    let invoice = format!("/api/v1/pos/invoices/{}", sold.invoice_id);
    assert_eq!(
        server.send(&outsider, (Method::GET, &invoice), &[], "").await?.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        server.send(&insider, (Method::GET, &invoice), &[], "").await?.status,
        StatusCode::OK
    );
    let stock =
        server.send(&outsider, (Method::GET, "/api/v1/inventory/stock"), &[], "").await?.json();
    assert_eq!(stock["total"], 0);
    let ledgers =
        server.send(&outsider, (Method::GET, "/api/v1/finance/ledgers"), &[], "").await?.json();
    assert!(ledgers["rows"].as_array().expect("rows").iter().all(|row| row["debit"] == 0.0));
    Ok(())
}

#[tokio::test]
async fn a_role_does_what_it_may() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let (shop, product) = (world.shop, world.products[0]);
    let sale = json!({"shop_id": shop, "lines": [{"product_id": product, "quantity": 1}], "tenders": [{"tender": "cash"}]});
    let mut cheaper = sale.clone();
    cheaper["lines"][0]["unit_price"] = json!(1);
    let cases = [
        ("cashier", &sale, StatusCode::CREATED),
        ("cashier", &cheaper, StatusCode::FORBIDDEN),
        ("manager", &cheaper, StatusCode::CREATED),
        ("analyst", &sale, StatusCode::FORBIDDEN),
        ("no-such-role", &sale, StatusCode::FORBIDDEN),
    ];
    for (role, body, status) in cases {
        let token = server.token(role, &[shop]);
        let post = (Method::POST, "/api/v1/pos/invoice");
        let answer = server.send(&token, post, &[], body.to_string()).await?;
        assert_eq!(answer.status, status, "{role}: {}", answer.text);
    }
    Ok(())
}
