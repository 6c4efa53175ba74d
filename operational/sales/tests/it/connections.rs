//! Commands take turns with a few connections, which may die.

use std::sync::Arc;
use std::time::Duration;

use millrace_kernel::Error;

use crate::invariants::assert_hold;
use crate::world::{STOCK, World};

/// Connections to the world's database besides the one that asks.
async fn backends(world: &World) -> anyhow::Result<i64> {
    let sql = "select count(*) from pg_stat_activity \
               where datname = current_database() and pid <> pg_backend_pid()";
    Ok(sqlx::query_scalar(sql).fetch_one(world.kernel.pool()).await?)
}

async fn sell_at_once(world: &Arc<World>, tills: usize) -> Vec<Result<(), Error>> {
    let sell = |till: usize| {
        let world = Arc::clone(world);
        let product = world.products[till % world.products.len()];
        tokio::spawn(async move { world.sell(&[(product, 1)]).await.map(drop) })
    };
    let tills: Vec<_> = (0..tills).map(sell).collect();
    let mut outcomes = Vec::new();
    for till in tills {
        outcomes.push(till.await.expect("no panic"));
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tills_share_few_connections() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    let outcomes = sell_at_once(&world, 100).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let limit = i64::from(world.kernel.settings().connections_max);
    let backends = backends(&world).await?;
    assert!((1..=limit).contains(&backends), "{backends} for commands, of {limit}");
    assert_hold(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_died_are_replaced() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    assert!(sell_at_once(&world, 30).await.iter().all(Result::is_ok));
    let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
               where datname = current_database() and pid <> pg_backend_pid()";
    let ended: i64 = sqlx::query_scalar(sql).fetch_one(world.kernel.pool()).await?;
    assert!(ended >= 1, "there was nothing to end");
    let outcomes = sell_at_once(&world, 30).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_hold(&world).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_till_that_goes_away_leaves_neither_sale_nor_lock() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    let product = world.products[0];
    let mut holder = world.kernel.pool().begin().await?;
    sqlx::query("select from inventory.stock where product_id = $1 for update")
        .bind(product)
        .fetch_all(&mut *holder)
        .await?;
    // They wait for the goods, and give up.
    let waiting = tokio::time::timeout(Duration::from_millis(300), sell_at_once_of(&world, 20));
    assert!(waiting.await.is_err(), "somebody sold goods that were held");
    holder.rollback().await?;
    world.sell(&[(product, STOCK)]).await?;
    assert_hold(&world).await
}

/// Tills that end when this future does.
async fn sell_at_once_of(world: &World, tills: usize) {
    let lines = [(world.products[0], 1)];
    let sales = (0..tills).map(|_| world.sell(&lines));
    futures::future::join_all(sales).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_kernel_has_no_connection_and_sells_nothing() -> anyhow::Result<()> {
    let world = Arc::new(World::new().await?);
    assert!(sell_at_once(&world, 10).await.iter().all(Result::is_ok));
    world.kernel.close().await;
    let outcome = world.sell(&[(world.products[0], 1)]).await;
    assert!(matches!(outcome, Err(Error::Database(_))), "{outcome:?}");
    Ok(())
}
