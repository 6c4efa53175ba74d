//! Outbox partitions are dropped once the durable pair has passed every row in them.

use chrono::Days;
use millrace_events::Lsn;
use sqlx::{AssertSqlSafe, FromRow, PgPool};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

use crate::postgres::{failed, inspect};
use crate::{Error, RelayOptions, Status};

/// Looks at the partitions from time to time; ends when the relay does.
pub(crate) async fn keep_dropping(
    options: RelayOptions,
    pool: PgPool,
    status: watch::Receiver<Status>,
) {
    let begin = Instant::now() + options.outbox_interval;
    let mut ticks = tokio::time::interval_at(begin, options.outbox_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match drop_passed(&options, &pool, status.clone()).await {
            Ok(dropped) if dropped.is_empty() => {}
            Ok(dropped) => tracing::info!(?dropped, "outbox partitions dropped"),
            Err(error) => tracing::warn!("outbox partitions stay: {}", error.chain()),
        }
    }
}

#[derive(FromRow)]
struct Partition {
    schema: String,
    name: String,
}

/// Partitions of outboxes whose upper bound is passed; the default one has none and stays.
const PARTITIONS: &str = "
    select schema, name from (
        select n.nspname::text as schema, c.relname::text as name,
               substring(pg_get_expr(c.relpartbound, c.oid) from $re$TO \\('([^']+)'\\)$re$)::timestamptz as until
          from pg_inherits as i
          join pg_class as c on c.oid = i.inhrelid
          join pg_class as p on p.oid = i.inhparent
          join pg_namespace as n on n.oid = p.relnamespace
          join pg_publication_tables as t on t.schemaname = n.nspname and t.tablename = p.relname
         where p.relname = 'outbox' and t.pubname = $1
    ) as partitions
     where until is not null and until <= $2
     order by until, schema";

/// Drops the outbox partitions that end more than `outbox_keep_days` ago, each only if the durable
/// pair has passed all its rows. The partition with the last event sent stays: the relay looks for
/// that event when it starts. Tells what was dropped, as `schema.partition`.
///
/// # Errors
/// [`Error::Postgres`]; a partition somebody writes to is left for the next time.
pub async fn drop_passed(
    options: &RelayOptions,
    pool: &PgPool,
    mut status: watch::Receiver<Status>,
) -> Result<Vec<String>, Error> {
    let keep_from = (options.clock)() - Days::new(u64::from(options.outbox_keep_days));
    let partitions: Vec<Partition> = sqlx::query_as(PARTITIONS)
        .bind(&options.publication)
        .bind(keep_from)
        .fetch_all(pool)
        .await
        .map_err(failed("list the outbox partitions"))?;
    let mut dropped = Vec::new();
    for partition in partitions {
        let table =
            format!("{}.{}", inspect::quoted(&partition.schema), inspect::quoted(&partition.name));
        if has_last_event(pool, &table, &status).await? {
            continue;
        }
        let Some((rows, lsn)) = at_rest(pool, &table).await? else { continue };
        let passed = status.wait_for(|status| status.durable >= lsn || status.phase.has_ended());
        match passed.await {
            Ok(status) if status.durable >= lsn => {}
            _ => break,
        }
        if drop_unchanged(pool, &table, rows).await? {
            dropped.push(format!("{}.{}", partition.schema, partition.name));
        }
    }
    Ok(dropped)
}

async fn has_last_event(
    pool: &PgPool,
    table: &str,
    status: &watch::Receiver<Status>,
) -> Result<bool, Error> {
    let Some(event) = status.borrow().last_event.clone() else { return Ok(false) };
    let sql = format!(
        "select exists (select from {table} where recorded_at = $1::timestamptz and event_id = $2)"
    );
    sqlx::query_scalar(AssertSqlSafe(sql))
        .bind(event.recorded_at)
        .bind(event.event_id)
        .fetch_one(pool)
        .await
        .map_err(failed("look for the last event sent"))
}

/// The partition's rows, and an LSN by which all of them were committed. `None` while a transaction
/// writes to it.
async fn at_rest(pool: &PgPool, table: &str) -> Result<Option<(i64, Lsn)>, Error> {
    let doing = "look at an outbox partition";
    let mut transaction = pool.begin().await.map_err(failed(doing))?;
    let sql = format!("set local lock_timeout = '1s'; lock table {table} in share mode");
    if !locked(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await, doing)? {
        return Ok(None);
    }
    // The message is flushed behind all commits there were, and replication comes by it soon.
    let sql = format!(
        "select count(*), pg_logical_emit_message(false, 'millrace', '', true)::text from {table}"
    );
    let (rows, lsn): (i64, String) = sqlx::query_as(AssertSqlSafe(sql))
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed(doing))?;
    let detail = format!("{lsn:?} is no LSN");
    let lsn = lsn.parse().map_err(|_| Error::Decode { lsn: Lsn(0), detail })?;
    Ok(Some((rows, lsn)))
}

/// Drops the partition if it still has as many rows: rows are only ever added.
async fn drop_unchanged(pool: &PgPool, table: &str, rows: i64) -> Result<bool, Error> {
    let doing = "drop an outbox partition";
    let mut transaction = pool.begin().await.map_err(failed(doing))?;
    let sql = format!("set local lock_timeout = '1s'; lock table {table} in access exclusive mode");
    if !locked(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await, doing)? {
        return Ok(false);
    }
    let found: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {table}")))
        .fetch_one(&mut *transaction)
        .await
        .map_err(failed(doing))?;
    if found != rows {
        return Ok(false);
    }
    // Dropping locks the outbox itself for a moment; the same lock_timeout bounds the wait.
    let sql = format!("drop table {table}");
    if !locked(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await, doing)? {
        return Ok(false);
    }
    transaction.commit().await.map_err(failed(doing))?;
    Ok(true)
}

/// Whether the lock was there to be had.
fn locked<T>(result: Result<T, sqlx::Error>, doing: &'static str) -> Result<bool, Error> {
    match result {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03") => Ok(false),
        result => result.map(|_| true).map_err(failed(doing)),
    }
}
