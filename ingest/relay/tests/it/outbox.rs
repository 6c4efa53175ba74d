//! Outbox partitions are dropped only once every row in them was sent.

use anyhow::{Result, ensure};
use millrace_relay::drop_passed;
use sqlx::PgPool;

use crate::bench::{Bench, stop, until};

async fn partitions(pool: &PgPool) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
          where i.inhparent = 'sales.outbox'::regclass order by 1",
    )
    .fetch_all(pool)
    .await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_partitions_go_and_recent_ones_stay() -> Result<()> {
    let bench = Bench::start().await?;
    sqlx::raw_sql(
        "create table sales.outbox_a partition of sales.outbox for values from ('2020-01-01 00:00+00') to ('2020-01-02 00:00+00');
         create table sales.outbox_b partition of sales.outbox for values from ('2020-01-02 00:00+00') to ('2020-01-03 00:00+00');
         create table sales.outbox_c partition of sales.outbox for values from ('2020-01-03 00:00+00') to ('2099-01-01 00:00+00');",
    )
    .execute(&bench.pool)
    .await?;
    let relay = bench.lead(bench.options()).await?;
    let insert = "insert into sales.outbox values ($1::timestamptz, gen_random_uuid(), 'billing.events.v1', 'thing.done', 'k', null, '{}')";
    for day in ["2020-01-01 12:00+00", "2020-01-02 12:00+00"] {
        sqlx::query(insert).bind(day).execute(&bench.pool).await?;
    }
    let sent = until(&relay, |status| status.position.0 == 2).await?;
    until(&relay, |status| status.durable >= sent.lsn).await?;

    // A partition that somebody writes to is left alone, and so is the one with the last event sent.
    let mut open = bench.pool.begin().await?;
    sqlx::query(insert).bind("2020-01-01 13:00+00").execute(&mut *open).await?;
    let dropped = drop_passed(&bench.options(), &bench.pool, relay.watch()).await?;
    ensure!(dropped.is_empty(), "{dropped:?}");
    open.rollback().await?;
    let dropped = drop_passed(&bench.options(), &bench.pool, relay.watch()).await?;
    ensure!(dropped == ["sales.outbox_a"], "{dropped:?}");

    bench.commit_some(1).await?;
    let sent = until(&relay, |status| status.position.0 == 3).await?;
    until(&relay, |status| status.durable >= sent.lsn).await?;
    let dropped = drop_passed(&bench.options(), &bench.pool, relay.watch()).await?;
    ensure!(dropped == ["sales.outbox_b"], "{dropped:?}");
    ensure!(partitions(&bench.pool).await? == ["outbox_c", "outbox_default"]);
    stop(relay).await?;
    ensure!(bench.whole_log().await?.len() == 3);
    Ok(())
}
