//! What one invoice does.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use millrace_events::Amount;
use millrace_events::Token;
use millrace_events::event::TenderKind;
use serde_json::json;

use crate::invariants::assert_hold;
use crate::world::World;

#[tokio::test]
async fn a_sale_is_told_to_the_paisa() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("cashier", &[world.shop]);
    // Product 2 is 21.00 with 18 % tax inside, product 3 is 31.50 without tax.
    let body = json!({
        "shop_id": world.shop,
        "till": "T7",
        "customer_id": world.customer,
        "lines": [
            {"product_id": world.products[1], "quantity": 3, "discount": "0.70"},
            {"product_id": world.products[2], "quantity": "0.500"},
        ],
        "tenders": [{"tender": "upi", "amount": 50, "reference": "UPI-1"}, {"tender": "cash", "amount": 50}],
    });
    let post = (Method::POST, "/api/v1/pos/invoice");
    let answer = server.send(&token, post, &[], body.to_string()).await?;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert!(answer.header("millrace-token").expect("token").parse::<Token>().is_ok());
    let invoice = answer.json();
    assert_eq!(invoice["invoice_number"], "MUM01/25-1");
    assert_eq!(invoice["business_date"], "2026-03-01");
    assert_eq!(invoice["business_hour"], 15);
    // 63.00 − 0.70 = 62.30 = 52.80 + 4.75 + 4.75; 15.75 of the other; 78.05 in all, 78 in rupees.
    assert!(answer.text.contains(r#""total":78.00,"#), "{}", answer.text);
    for (field, value) in [("taxable", 68.55), ("tax", 9.5), ("round_off", -0.05), ("change", 22.0)]
    {
        assert_eq!(invoice[field], value, "{field}");
    }
    assert_eq!(
        invoice["tenders"],
        json!([
            {"tender": "upi", "amount": 50.0, "reference": "UPI-1"},
            {"tender": "cash", "amount": 28.0, "reference": null},
        ])
    );

    let uri = format!("/api/v1/pos/invoices/{}", invoice["invoice_id"].as_str().expect("id"));
    let mut read = server.send(&token, (Method::GET, &uri), &[], "").await?.json();
    read["change"] = json!(22.0);
    read["issued_at"] = invoice["issued_at"].clone();
    assert_eq!(read, invoice);

    let lines: String = world.scalar(
        "select string_agg(account_code || ' ' || debit || ' ' || credit, ', ' order by line_no) \
         from finance.journal_lines where document_type = 'invoice'",
    ).await?;
    assert_eq!(
        lines,
        "1020 50.00 0.00, 1000 28.00 0.00, 4000 0.00 68.55, 2100 0.00 4.75, 2110 0.00 4.75, \
         5900 0.05 0.00, 5000 47.25 0.00, 1200 0.00 47.25"
    );
    assert_hold(&world).await
}

#[tokio::test]
async fn history_keeps_its_own_date_and_needs_permission() -> anyhow::Result<()> {
    let world = World::new().await?;
    let mut basket = world.basket(&[(world.products[0], 1)]);
    basket.issued_at = Some(crate::world::start() - TimeDelta::days(400));
    let issued = world.kernel.run(&world.system(), &basket).await?.output()?.issued;
    assert_eq!(issued.business_date.to_string(), "2025-01-25");
    assert_eq!(issued.invoice_number, "MUM01/24-1");

    let mut cashier = world.system();
    cashier.actor = crate::world::actor("cashier", &[world.shop]);
    let refused = world.kernel.run(&cashier, &basket).await.unwrap_err();
    assert_eq!(refused.code(), "forbidden");

    basket.issued_at = Some(crate::world::start() + TimeDelta::hours(1));
    let refused = world.kernel.run(&world.system(), &basket).await.unwrap_err();
    assert!(refused.to_string().contains("issued_at: must not be in the future"), "{refused}");
    assert_hold(&world).await
}

#[tokio::test]
async fn change_is_cash_and_tenders_cover_the_total() -> anyhow::Result<()> {
    let world = World::new().await?;
    for (kind, amount, code) in
        [(TenderKind::Card, 1000, "change_without_cash"), (TenderKind::Cash, 1, "not_covered")]
    {
        let mut basket = world.basket(&[(world.products[0], 1)]);
        basket.tenders[0].tender = kind;
        basket.tenders[0].amount = Some(Amount::from(amount));
        match world.kernel.run(&world.system(), &basket).await {
            Err(millrace_kernel::Error::Invalid { errors }) => assert_eq!(errors[0].code, code),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(world.scalar::<i64>("select count(*) from sales.invoices").await?, 0);
    Ok(())
}
