//! The primary is lost and a standby takes over: with the slot, or without it.

use std::time::Duration;

use anyhow::{Result, ensure};
use millrace_local::testing;
use millrace_relay::StateDir;
use secrecy::ExposeSecret;
use sqlx::PgPool;

use crate::bench::{Bench, eventually, halt, ids, stop, until_position};

/// A standby that has everything, and the superuser's connections to it.
async fn standby(bench: &Bench) -> Result<(testing::Postgres, PgPool)> {
    let standby = bench.postgres.standby().await?;
    let admin = PgPool::connect(standby.admin_url().expose_secret()).await?;
    Ok((standby, admin))
}

/// The standby has replayed all that the primary has flushed; then the primary is gone, and the
/// standby takes its place.
async fn fail_over(bench: &mut Bench, standby: testing::Postgres, admin: PgPool) -> Result<()> {
    let flushed = bench.token().await?;
    eventually("everything replayed", || async {
        let replayed: String =
            sqlx::query_scalar("select pg_last_wal_replay_lsn()::text").fetch_one(&admin).await?;
        Ok(replayed.parse::<millrace_events::Lsn>()? >= flushed)
    })
    .await?;
    let pool = PgPool::connect(standby.url().expose_secret()).await?;
    std::mem::replace(&mut bench.postgres, standby).shutdown().await;
    let is_promoted: bool = sqlx::query_scalar("select pg_promote()").fetch_one(&admin).await?;
    ensure!(is_promoted, "the standby was not promoted");
    (bench.pool, bench.admin) = (pool, admin);
    Ok(())
}

async fn timeline(bench: &Bench) -> Result<Option<u32>> {
    Ok(StateDir::lock(bench.state.path())?.load_pair()?.map(|pair| pair.timeline))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_synced_slot_the_relay_goes_on() -> Result<()> {
    let mut bench = Bench::start().await?;
    let mut options = bench.options();
    options.confirm_delay = Duration::ZERO;
    let relay = bench.lead(options).await?;
    let (server, admin) = standby(&bench).await?;
    bench.commit_some(5).await?;
    until_position(&relay, 5).await?;
    // A slot is kept in step only once it needs no transaction older than the standby's oldest: while
    // nothing is committed, the primary's snapshots move it there.
    eventually("the slot in step", || async {
        sqlx::raw_sql("select pg_log_standby_snapshot()").execute(&bench.admin).await?;
        sqlx::raw_sql("select pg_sync_replication_slots()").execute(&admin).await?;
        let is_synced: Option<bool> = sqlx::query_scalar(
            "select synced and not temporary from pg_replication_slots where slot_name = 'millrace_relay'",
        )
        .fetch_optional(&admin)
        .await?;
        Ok(is_synced == Some(true))
    })
    .await?;
    // What comes behind the slot's last step is in the pair and in the log.
    bench.commit_some(5).await?;
    let sent = 10;
    until_position(&relay, sent).await?;
    stop(relay).await?;
    ensure!(timeline(&bench).await? == Some(1));
    let unheard = bench.commit_some(3).await?;
    fail_over(&mut bench, server, admin).await?;

    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(4).await?;
    until_position(&relay, sent + 7).await?;
    stop(relay).await?;
    ensure!(timeline(&bench).await? == Some(2));
    let log = bench.whole_log().await?;
    ensure!(log.len() == sent + 7 && ids(&log).len() == sent + 7);
    ensure!(log[sent..sent + 3].iter().map(|logged| logged.event_id).eq(unheard));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_slot_the_relay_refuses() -> Result<()> {
    let mut bench = Bench::start().await?;
    bench.send(5).await?;
    let (server, admin) = standby(&bench).await?;
    fail_over(&mut bench, server, admin).await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "timeline_changed", "{error}");

    // A slot that somebody makes there by hand has not seen what was committed before.
    sqlx::raw_sql("select pg_create_logical_replication_slot('millrace_relay', 'pgoutput')")
        .execute(&bench.pool)
        .await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "timeline_changed", "{error}");
    ensure!(error.to_string().contains("recover new-incarnation"), "{error}");
    Ok(())
}
