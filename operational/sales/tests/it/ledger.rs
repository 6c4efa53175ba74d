//! LED-1 and LED-2, in the database itself.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn the_database_refuses_what_does_not_balance() -> anyhow::Result<()> {
    let world = World::new().await?;
    for (codes, debits, credits) in [
        ("{1000,4000}", "{10,0}", "{0,9.99}"),
        ("{1000}", "{0}", "{0}"),
        ("{1000,4000}", "{10,0}", "{10,0}"),
        ("{1000,4000}", "{-10,0}", "{0,-10}"),
        ("{1000,4000,1200}", "{10,0}", "{0,10}"),
        ("{1000,NULL}", "{10,0}", "{0,10}"),
        ("{1000,4000}", "{10,NULL}", "{NULL,10}"),
        ("{}", "{}", "{}"),
    ] {
        let inserted = sqlx::query(
            "insert into finance.entries (entry_id, shop_id, currency, business_date, posted_at, \
                 document_type, document_id, account_codes, debits, credits, party_ids) \
             select gen_random_uuid(), gen_random_uuid(), 'INR', '2026-03-01', now(), 'x', \
                 gen_random_uuid(), $1::text[], $2::text::numeric[], $3::text::numeric[], \
                 array_fill(null::uuid, array[cardinality($1::text[])])",
        )
        .bind(
            codes
                .trim_matches(['{', '}'])
                .split(',')
                .filter(|code| !code.is_empty())
                .map(|code| (code != "NULL").then_some(code))
                .collect::<Vec<_>>(),
        )
        .bind(debits)
        .bind(credits)
        .execute(world.kernel.pool())
        .await;
        let error = inserted.expect_err(debits);
        let constraint = error.as_database_error().and_then(|error| error.constraint());
        assert!(
            constraint.is_some_and(|name| name.starts_with("entries_")),
            "{codes} {debits} {credits}: {error}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn posted_entries_and_movements_never_change() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.sell(&[(world.products[0], 1)]).await?;
    for sql in [
        "update finance.entries set memo = 'x'",
        "delete from finance.entries",
        "truncate finance.entries",
        "update inventory.movement_groups set reason = 'x'",
        "delete from inventory.movement_groups",
        "truncate inventory.movement_groups",
    ] {
        let error = sqlx::raw_sql(sql).execute(world.kernel.pool()).await.expect_err(sql);
        let constraint = error.as_database_error().and_then(|error| error.constraint());
        assert!(constraint.is_some_and(|name| name.ends_with("_immutable")), "{sql}: {error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_written_entry_is_taken_back_by_another() -> anyhow::Result<()> {
    let world = World::new().await?;
    let server = world.server();
    let token = server.token("accountant", &[world.shop]);
    let post = (Method::POST, "/api/v1/finance/journal-entry");
    let entry = |debit: &str, reversal_of: serde_json::Value| {
        let (cash, equity) = if debit == "cash" { (250, 0) } else { (0, 250) };
        json!({
            "shop_id": world.shop, "memo": "float", "reversal_of": reversal_of,
            "lines": [
                {"account_code": "1000", "debit": cash, "credit": equity},
                {"account_code": "3000", "debit": equity, "credit": cash},
            ],
        })
        .to_string()
    };
    let written = server.send(&token, post.clone(), &[], entry("cash", json!(null))).await?;
    assert_eq!(written.status, StatusCode::CREATED, "{}", written.text);
    let original = written.json()["entry_id"].clone();
    let reversed = server.send(&token, post.clone(), &[], entry("equity", original)).await?;
    assert_eq!(reversed.status, StatusCode::CREATED, "{}", reversed.text);
    let unknown = server.send(&token, post.clone(), &[], entry("cash", json!(world.shop))).await?;
    assert_eq!(unknown.fields(), ["reversal_of"]);

    let uri = format!("/api/v1/finance/ledgers?shop_id={}", world.shop);
    let ledgers = server.send(&token, (Method::GET, &uri), &[], "").await?.json();
    let rows = ledgers["rows"].as_array().expect("rows").clone();
    let cash = rows.iter().find(|row| row["account_code"] == "1000").expect("cash");
    assert_eq!((&cash["debit"], &cash["balance"]), (&json!(250.0), &json!(0.0)));
    let sum =
        |field: &str| rows.iter().map(|row| row[field].as_f64().expect("number")).sum::<f64>();
    assert!((sum("debit") - sum("credit")).abs() < 0.005);
    assert!(rows.iter().any(|row| row["account_code"] == "2010" && row["currency"].is_null()));
    Ok(())
}
