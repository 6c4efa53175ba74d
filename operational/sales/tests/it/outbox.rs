//! OUT-1: a business change and its events commit together or not at all.

use millrace_events::EnvelopeRef;
use millrace_events::event::InvoiceIssued;
use millrace_kernel::{Error, OUTBOX_ROWS_MAX, maintain, migrate, require_published};

use crate::world::{SERVICES, World};

const ROWS: &str = "select (select count(*) from sales.outbox) + (select count(*) from inventory.outbox) \
     + (select count(*) from finance.outbox) + (select count(*) from party.outbox)";

#[tokio::test]
async fn a_refused_command_leaves_no_event() -> anyhow::Result<()> {
    let world = World::new().await?;
    let before: i64 = world.scalar(ROWS).await?;
    let refused = world.sell(&[(world.products[0], 1), (world.products[1], 101)]).await;
    assert_eq!(refused.unwrap_err().code(), "insufficient_stock");
    assert_eq!(world.scalar::<i64>(ROWS).await?, before);

    let sold = world.sell(&[(world.products[0], 1), (world.products[1], 100)]).await?;
    assert_eq!(world.scalar::<i64>(ROWS).await?, before + 3);
    let (key, envelope): (String, String) = sqlx::query_as(
        "select aggregate_id, envelope from sales.outbox where event_type = 'invoice.issued'",
    )
    .fetch_one(world.kernel.pool())
    .await?;
    let envelope: EnvelopeRef<'_> = serde_json::from_str(&envelope)?;
    let event: InvoiceIssued = serde_json::from_str(envelope.payload.get())?;
    assert_eq!(key, sold.issued.invoice_id.to_string());
    assert_eq!(event, sold.issued);
    Ok(())
}

#[tokio::test]
async fn a_command_with_too_many_events_is_refused_whole() -> anyhow::Result<()> {
    let world = World::new().await?;
    let mut basket = world.basket(&[(world.products[0], 1)]);
    basket.lines[0].quantity = "0.010".parse()?;
    let before: i64 = world.scalar(ROWS).await?;
    let too_many = vec![basket.clone(); OUTBOX_ROWS_MAX / 3 + 1];
    let refused = millrace_sales::issue_invoices(&world.kernel, &world.system(), too_many).await;
    assert_eq!(refused.unwrap_err().code(), "too_many_events");
    assert_eq!(world.scalar::<i64>(ROWS).await?, before);

    let most = vec![basket; OUTBOX_ROWS_MAX / 3];
    millrace_sales::issue_invoices(&world.kernel, &world.system(), most).await?;
    assert_eq!(world.scalar::<i64>(ROWS).await?, before + 9999);
    Ok(())
}

#[tokio::test]
async fn a_service_whose_events_reach_nobody_is_refused() -> anyhow::Result<()> {
    let world = World::new().await?;
    require_published(world.kernel.pool(), &SERVICES).await?;
    sqlx::raw_sql("alter publication millrace_outbox drop table sales.outbox")
        .execute(world.kernel.pool())
        .await?;
    match require_published(world.kernel.pool(), &SERVICES).await {
        Err(Error::NotPublished { schema }) => assert_eq!(schema, "sales"),
        other => panic!("{other:?}"),
    }
    migrate(&world.kernel, &SERVICES).await?;
    require_published(world.kernel.pool(), &SERVICES).await?;
    let accounts: i64 = world.scalar("select count(*) from finance.accounts").await?;
    let opened: i64 = world
        .scalar("select count(*) from finance.outbox where event_type = 'account.opened'")
        .await?;
    assert_eq!(accounts, opened, "migrating twice opens each account once");
    Ok(())
}

#[tokio::test]
async fn events_are_kept_by_day_and_days_are_made_ahead() -> anyhow::Result<()> {
    let world = World::new().await?;
    world.sell(&[(world.products[0], 1)]).await?;
    let today: i64 = world.scalar("select count(*) from sales.outbox_20260301").await?;
    world.clock.advance(chrono::TimeDelta::days(10));
    // Nobody made this day: the default takes it, and making it later says so and goes on.
    world.sell(&[(world.products[0], 1)]).await?;
    maintain(&world.kernel, &SERVICES).await?;
    world.clock.advance(chrono::TimeDelta::days(1));
    world.sell(&[(world.products[0], 1)]).await?;
    let late: i64 = world.scalar("select count(*) from sales.outbox_default").await?;
    let ahead: i64 = world.scalar("select count(*) from sales.outbox_20260312").await?;
    // Each sale has three: stock, journal and invoice.
    assert_eq!((today, late, ahead), (3, 3, 3));
    Ok(())
}
