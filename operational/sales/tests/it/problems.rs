//! Bad input is told field by field.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::json;

use crate::world::{World, start};

#[tokio::test]
async fn every_refused_field_is_named() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("admin", &[]);
    let (shop, product) = (world.shop, world.products[0]);
    let cases = [
        (
            "/api/v1/pos/invoice",
            json!({
                "shop_id": shop, "till": "",
                "lines": [{"product_id": product, "quantity": 0, "discount": -1},
                          {"product_id": product, "quantity": 1, "unit_price": -3}],
                "tenders": [{"tender": "cash", "amount": 0}, {"tender": "card"}, {"tender": "upi"}],
            }),
            vec![
                "till",
                "lines[0].quantity",
                "lines[0].discount",
                "lines[1].unit_price",
                "tenders",
                "tenders[0].amount",
            ],
        ),
        (
            "/api/v1/pos/invoice",
            json!({
                "shop_id": shop, "customer_id": shop,
                "lines": [{"product_id": shop, "quantity": 1}, {"product_id": product, "quantity": 1, "discount": 99}],
                "tenders": [],
            }),
            vec!["customer_id", "lines[0].product_id", "lines[1].discount"],
        ),
        (
            "/api/v1/pos/invoice",
            json!({"shop_id": shop, "lines": [], "tenders": []}),
            vec!["lines"],
        ),
        (
            "/api/v1/pos/invoice",
            json!({"shop_id": shop, "lines": [{"product_id": product, "quantity": 1, "colour": "red"}], "tenders": []}),
            vec!["lines[0].colour"],
        ),
        (
            "/api/v1/pos/invoice",
            json!({"shop_id": shop, "lines": [{"product_id": product, "quantity": 1.0005}], "tenders": []}),
            vec!["lines[0].quantity"],
        ),
        (
            "/api/v1/pos/invoice",
            json!({"shop_id": shop, "lines": [{"quantity": 1}], "tenders": []}),
            vec!["lines[0].product_id"],
        ),
        (
            "/api/v1/inventory/adjust",
            json!({
                "shop_id": shop, "reason_code": "opening",
                "lines": [{"product_id": product, "quantity": -1}, {"product_id": product, "quantity": 1},
                          {"product_id": shop, "quantity": 0}],
            }),
            vec![
                "lines[0].quantity",
                "lines[1].product_id",
                "lines[2].quantity",
                "lines[2].quantity",
            ],
        ),
        (
            "/api/v1/purchases/grn",
            json!({
                "shop_id": shop, "vendor_id": shop,
                "lines": [{"product_id": shop, "quantity": 1, "unit_cost": 1}],
            }),
            vec!["vendor_id", "lines[0].product_id"],
        ),
        (
            "/api/v1/sales/returns",
            json!({
                "shop_id": shop, "invoice_id": shop,
                "lines": [{"invoice_line_no": 1, "quantity": -1}, {"invoice_line_no": 1, "quantity": 1}], "tenders": [],
            }),
            vec!["lines[0].quantity", "lines[1].invoice_line_no"],
        ),
        (
            "/api/v1/finance/journal-entry",
            json!({
                "shop_id": shop, "memo": " ",
                "lines": [{"account_code": "1000", "debit": 5}, {"account_code": "4000", "debit": 1, "credit": 1}],
            }),
            vec!["memo", "lines[1]", "lines"],
        ),
        (
            "/api/v1/finance/journal-entry",
            json!({
                "shop_id": shop, "memo": "x",
                "lines": [{"account_code": "1000", "debit": 5}, {"account_code": "9999", "credit": 5}],
            }),
            vec!["lines[1].account_code"],
        ),
        (
            "/api/v1/shops",
            json!({
                "code": "mumbai-1", "name": "", "time_zone": "Mars/Base", "currency": "rupee", "state_code": "MH",
                "gstin": "27AAPFU0938F1ZV", "prices_include_tax": true,
            }),
            vec!["code", "name", "time_zone", "currency", "state_code", "gstin", "gstin"],
        ),
        (
            "/api/v1/customers",
            json!({"code": "", "name": "A", "phone": "12", "email": "nobody", "gstin": "1"}),
            vec!["code", "phone", "email", "gstin"],
        ),
        (
            "/api/v1/vendors",
            json!({"code": "V", "name": "", "lead_time_days": 999}),
            vec!["name", "lead_time_days"],
        ),
        (
            "/api/v1/products",
            json!({
                "sku": "", "name": "x", "category_id": shop, "unit": "", "price": -1, "standard_cost": 1,
                "tax_rate": 101, "hsn": "12",
            }),
            vec!["sku", "unit", "price", "tax_rate", "hsn"],
        ),
    ];
    for (uri, body, fields) in cases {
        let answer = server.send(&token, (Method::POST, uri), &[], body.to_string()).await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{uri}: {}", answer.text);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.fields(), fields, "{uri}: {}", answer.text);
        let problem = answer.json();
        assert_eq!(problem["trace_id"].as_str().map(str::len), Some(32));
        assert_eq!(problem["status"], 422);
    }
    assert_eq!(world.scalar::<i64>("select count(*) from sales.invoices").await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_document_is_dated_back_by_who_may_and_never_ahead() -> anyhow::Result<()> {
    let world = World::new().await?;
    let sold = world.sell(&[(world.products[0], 1)]).await?.issued;
    let server = world.server();
    let (admin, manager) = (server.token("admin", &[]), server.token("manager", &[world.shop]));
    let (shop, product) = (world.shop, world.products[0]);
    let documents = [
        (
            "/api/v1/pos/invoice",
            "issued_at",
            json!({"shop_id": shop, "lines": [{"product_id": product, "quantity": 1}], "tenders": [{"tender": "cash"}]}),
        ),
        (
            "/api/v1/sales/returns",
            "returned_at",
            json!({"shop_id": shop, "invoice_id": sold.invoice_id, "lines": [{"invoice_line_no": 1, "quantity": 1}], "tenders": [{"tender": "cash"}]}),
        ),
        (
            "/api/v1/inventory/adjust",
            "adjusted_at",
            json!({"shop_id": shop, "reason_code": "count", "lines": [{"product_id": product, "quantity": 1}]}),
        ),
        (
            "/api/v1/purchases/grn",
            "received_at",
            json!({"shop_id": shop, "vendor_id": world.vendor, "lines": [{"product_id": product, "quantity": 1, "unit_cost": 1}]}),
        ),
    ];
    for (uri, field, mut body) in documents {
        let post = (Method::POST, uri);
        body[field] = json!(start() + TimeDelta::hours(1));
        let ahead = server.send(&admin, post.clone(), &[], body.to_string()).await?;
        assert_eq!(ahead.fields(), [field], "{uri}: {}", ahead.text);
        body[field] = json!(start() - TimeDelta::hours(1));
        let refused = server.send(&manager, post.clone(), &[], body.to_string()).await?;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{uri}: {}", refused.text);
        let back = server.send(&admin, post, &[], body.to_string()).await?;
        assert_eq!(back.status, StatusCode::CREATED, "{uri}: {}", back.text);
        assert_eq!(back.json()[field], "2026-03-01T08:30:00Z", "{uri}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_json_or_not_there_is_a_problem_too() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("admin", &[]);
    let post = (Method::POST, "/api/v1/pos/invoice");
    let broken = server.send(&token, post.clone(), &[], "{").await?;
    assert_eq!(
        (broken.status, &broken.json()["code"]),
        (StatusCode::BAD_REQUEST, &json!("malformed"))
    );
    let key = "x".repeat(300);
    let key = server.send(&token, post, &[("idempotency-key", &key)], "{}").await?;
    assert_eq!(key.fields(), ["Idempotency-Key"]);
    let nowhere = format!("/api/v1/pos/invoices/{}", world.shop);
    let missing = server.send(&token, (Method::GET, &nowhere), &[], "").await?;
    assert_eq!(
        (missing.status, &missing.json()["code"]),
        (StatusCode::NOT_FOUND, &json!("not_found"))
    );
    let odd = server.send(&token, (Method::GET, "/api/v1/pos/invoices/x"), &[], "").await?;
    assert_eq!(
        (odd.status, odd.fields()),
        (StatusCode::UNPROCESSABLE_ENTITY, vec!["id".to_owned()])
    );
    let nobody = server.send("nonsense", (Method::GET, &nowhere), &[], "").await?;
    assert_eq!(
        (nobody.status, nobody.header("www-authenticate")),
        (StatusCode::UNAUTHORIZED, Some("Bearer"))
    );
    Ok(())
}
