//! OUT-2, OUT-3: positions without gap, in commit order, whatever the writers do.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use millrace_events::EventId;
use millrace_relay::Relay;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sqlx::PgPool;

use crate::bench::{Bench, Row, SCHEMAS, append, stop, until_position};

const WRITERS: u64 = 6;
const TRANSACTIONS: usize = 60;

/// One writer: transactions of one to five rows over both outboxes; some roll back, some roll back to
/// a savepoint, some bump a counter somewhere in between, whose row lock decides who commits first.
async fn write(pool: PgPool, seed: u64) -> Result<Vec<EventId>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut committed = Vec::new();
    for _ in 0..TRANSACTIONS {
        let mut transaction = pool.begin().await?;
        let bump_at = rng.random_range(0..8);
        let mut count = -1_i64;
        let mut rows = Vec::new();
        for n in 0..rng.random_range(1..=5) {
            if n == bump_at {
                count = sqlx::query_scalar("update counter set n = n + 1 returning n")
                    .fetch_one(&mut *transaction)
                    .await?;
            }
            let mut row = Row::new(rng.random_range(0..20), format!(r#"{{"count":{count}}}"#));
            row.schema = SCHEMAS.choose(&mut rng).copied().unwrap_or(SCHEMAS[0]);
            if rng.random_bool(0.15) {
                sqlx::query("savepoint s").execute(&mut *transaction).await?;
                append(&mut transaction, &[row]).await?;
                sqlx::query("rollback to savepoint s").execute(&mut *transaction).await?;
            } else {
                append(&mut transaction, std::slice::from_ref(&row)).await?;
                rows.push(row.event_id);
            }
        }
        if rng.random_bool(0.2) {
            transaction.rollback().await?;
        } else {
            transaction.commit().await?;
            committed.extend(rows);
        }
    }
    Ok(committed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_are_gapless_in_commit_order() -> Result<()> {
    let seed = 20_261_122;
    let bench = Bench::start().await?;
    sqlx::raw_sql("create table counter (n bigint); insert into counter values (0)")
        .execute(&bench.pool)
        .await?;
    // Rows from before the first relay are in the log too.
    let early = bench.commit_some(3).await?;
    let relay = Relay::start(bench.options());
    let writers = (0..WRITERS).map(|n| write(bench.pool.clone(), seed + n));
    let mut committed = early;
    committed.extend(try_join_all(writers).await?.into_iter().flatten());
    until_position(&relay, committed.len()).await?;
    stop(relay).await?;

    let log = bench.whole_log().await?;
    let sent: HashSet<_> = committed.into_iter().collect();
    ensure!(sent.len() == log.len(), "{} committed, {} in the log", sent.len(), log.len());
    ensure!(log.iter().all(|logged| sent.contains(&logged.event_id)));
    let mut counted = 0;
    for logged in &log {
        let value: serde_json::Value =
            serde_json::from_str(logged.value.as_deref().expect("value"))?;
        let count = value["count"].as_i64().unwrap_or(-1);
        if count >= 0 {
            ensure!(count >= counted, "{logged:?} was committed before count {counted}");
            counted = count;
        }
    }
    ensure!(counted > 50, "the counter decided too little: {counted}");
    // Per aggregate: one partition, offsets in the order of positions.
    let mut aggregates = BTreeMap::new();
    for logged in &log {
        let (partition, offset) =
            aggregates.entry(&logged.key).or_insert((logged.partition, logged.offset));
        ensure!(*partition == logged.partition && *offset <= logged.offset, "{logged:?}");
        *offset = logged.offset;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_began_first_and_committed_last_comes_last() -> Result<()> {
    let bench = Bench::start().await?;
    let relay = bench.lead(bench.options()).await?;
    let mut slow = bench.pool.begin().await?;
    let first = Row::new("a", "{}");
    append(&mut slow, std::slice::from_ref(&first)).await?;
    let quick = bench.commit_some(2).await?;
    until_position(&relay, 2).await?;
    slow.commit().await?;
    until_position(&relay, 3).await?;
    stop(relay).await?;
    let log: Vec<_> = bench.whole_log().await?.iter().map(|logged| logged.event_id).collect();
    ensure!(log == [quick[0], quick[1], first.event_id]);
    Ok(())
}
