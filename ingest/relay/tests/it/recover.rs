//! The remedies.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use millrace_events::{Position, PositionRange};
use millrace_local::testing;
use millrace_relay::StateDir;
use millrace_relay::recover::{self, RestorePoint};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::PgPool;

use crate::bench::{Bench, eventually, halt, ids, options, prepare, stop, until_position};

async fn drop_slot(bench: &Bench) -> Result<()> {
    sqlx::query("select pg_drop_replication_slot('millrace_relay')").execute(&bench.pool).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_slot() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(10).await?;
    drop_slot(&bench).await?;
    let missed = bench.commit_some(8).await?;
    ensure!(halt(bench.options()).await?.code() == "slot_missing");

    let recovered = recover::lost_slot(&bench.options()).await?;
    ensure!((recovered.published, recovered.tombstones) == (8, 0), "{recovered:?}");
    ensure!(recovered.position == Position(18) && recovered.incarnation == 1);
    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(4).await?;
    until_position(&relay, 22).await?;
    stop(relay).await?;
    let log = bench.whole_log().await?;
    ensure!(log.len() == 22 && ids(&log).len() == 22);
    ensure!(ids(&log[10..18]) == missed.iter().copied().collect());
    // One epoch, in the order of recording.
    ensure!(log[10].txn == (1, 8) && log[17].txn == (8, 8));
    ensure!(log[10..18].iter().map(|logged| logged.event_id).eq(missed));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_that_crashed_is_finished_with_the_same_positions() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(10).await?;
    drop_slot(&bench).await?;
    bench.commit_some(8).await?;
    let broker = Pid::from_raw(i32::try_from(bench.kafka.pid().context("embedded")?)?);
    let plan = bench.state.path().join("relay-recovery.json");
    let mut asked = bench.options();
    // Too large for the first attempt's pace: it is cut off once the plan is durable.
    asked.linger = Duration::from_secs(5);
    let attempt = tokio::spawn(async move { recover::lost_slot(&asked).await });
    eventually("the plan", || async { Ok(plan.exists()) }).await?;
    kill(broker, Signal::SIGSTOP)?;
    attempt.abort();
    let _ = attempt.await;
    kill(broker, Signal::SIGCONT)?;
    ensure!(plan.exists(), "the attempt was over before it could be cut off");

    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(2).await?;
    until_position(&relay, 20).await?;
    stop(relay).await?;
    ensure!(!plan.exists());
    let mut log = bench.log().await?;
    log.sort_by_key(|logged| logged.position);
    log.dedup_by_key(|logged| (logged.position, logged.event_id));
    ensure!(log.iter().map(|logged| logged.position).eq(1..=20));
    Ok(())
}

/// A second server, restored with the first `rows` outbox rows of the bench's.
async fn restored(bench: &Bench, rows: i64) -> Result<(testing::Postgres, PgPool)> {
    let server = testing::new_postgres().await?;
    let pool = prepare(&server).await?;
    let copied: Vec<(String, uuid::Uuid, String, String, String, String)> = sqlx::query_as(
        "select recorded_at::text, event_id, topic, event_type, aggregate_id, envelope
           from sales.outbox order by recorded_at limit $1",
    )
    .bind(rows)
    .fetch_all(&bench.pool)
    .await?;
    for (recorded_at, event_id, topic, event_type, aggregate_id, envelope) in copied {
        sqlx::query("insert into sales.outbox values ($1::timestamptz, $2, $3, $4, $5, null, $6)")
            .bind(recorded_at)
            .bind(event_id)
            .bind(topic)
            .bind(event_type)
            .bind(aggregate_id)
            .bind(envelope)
            .execute(&pool)
            .await?;
    }
    Ok((server, pool))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_restored_from_a_backup() -> Result<()> {
    let mut bench = Bench::start().await?;
    bench.send(10).await?;
    let before = bench.whole_log().await?;
    let (server, pool) = restored(&bench, 7).await?;
    bench.postgres = server;
    bench.pool = pool;
    let fresh = bench.commit_some(1).await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "server_replaced", "{error}");
    let wrong = recover::lost_slot(&bench.options()).await.map_err(|error| error.code());
    ensure!(wrong == Err("server_replaced"), "{wrong:?}");

    let recovered = recover::new_incarnation(&bench.options(), RestorePoint::Outbox).await?;
    ensure!((recovered.incarnation, recovered.published) == (2, 1), "{recovered:?}");
    let orphans = recovered.orphans.context("no orphans")?;
    ensure!(orphans.events == 3, "{orphans:?}");
    let listed = std::fs::read_to_string(&orphans.file)?;
    for orphan in &before[7..] {
        ensure!(listed.contains(&orphan.event_id.to_string()), "{orphan:?} is not listed");
    }
    ensure!(listed.lines().count() == 3);

    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(2).await?;
    until_position(&relay, 13).await?;
    stop(relay).await?;
    let mut log = bench.log().await?;
    log.sort_by_key(|logged| logged.position);
    ensure!(log.iter().map(|logged| logged.position).eq(1..=13));
    ensure!(log[10].event_id == fresh[0]);
    let frontiers = bench.frontiers().await?;
    let told = frontiers.last().context("no frontier")?;
    let orphaned = [PositionRange { first: Position(8), last: Position(10) }];
    ensure!((told.incarnation, &told.orphaned[..]) == (2, &orphaned[..]), "{told:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_whose_end_nobody_knows() -> Result<()> {
    let mut bench = Bench::start().await?;
    bench.send(5).await?;
    let (server, pool) = restored(&bench, 0).await?;
    bench.postgres = server;
    bench.pool = pool;
    let refused = recover::new_incarnation(&bench.options(), RestorePoint::Outbox).await;
    ensure!(refused.is_err_and(|error| error.code() == "restore_point_unknown"));
    let named = |position| RestorePoint::Position(Position(position));
    let recovered = recover::new_incarnation(&bench.options(), named(2)).await?;
    ensure!(recovered.orphans.is_some_and(|orphans| orphans.events == 3));
    // Whoever named a wrong one names the right one.
    recover::new_incarnation(&bench.options(), named(4)).await?;
    let frontiers = bench.frontiers().await?;
    let told = frontiers.last().context("no frontier")?;
    let orphaned = [PositionRange { first: Position(5), last: Position(5) }];
    ensure!((told.incarnation, &told.orphaned[..]) == (3, &orphaned[..]), "{told:?}");
    // One behind the end of the log says that the database has everything.
    recover::new_incarnation(&bench.options(), named(99)).await?;
    let frontiers = bench.frontiers().await?;
    let told = frontiers.last().context("no frontier")?;
    ensure!((told.incarnation, told.orphaned.len()) == (4, 0), "{told:?}");
    // The pair vouches for what an outbox without any of it can't show.
    recover::lost_slot(&bench.options()).await?;
    Ok(())
}

/// Nothing was left to be sent, but the relay still knows the last event it sent, whose partition stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_slot_with_nothing_unsent_keeps_the_last_event() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(4).await?;
    let log = bench.whole_log().await?;
    drop_slot(&bench).await?;
    let recovered = recover::lost_slot(&bench.options()).await?;
    ensure!((recovered.published, recovered.position) == (0, Position(4)), "{recovered:?}");
    let state = StateDir::lock(bench.state.path())?;
    let pair = state.load_pair()?.context("no pair")?;
    ensure!(pair.durable.last.is_some_and(|last| last.event_id == log[3].event_id));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_remedy_while_a_relay_runs() -> Result<()> {
    let bench = Bench::start().await?;
    let relay = bench.lead(bench.options()).await?;
    let refused = recover::lost_slot(&bench.options()).await;
    ensure!(refused.is_err_and(|error| error.code() == "state_locked"));
    // Neither from a directory of its own.
    let elsewhere = tempfile::tempdir()?;
    let asked = options(&bench.postgres, bench.kafka.brokers(), elsewhere.path());
    let refused = recover::lost_slot(&asked).await;
    ensure!(refused.is_err_and(|error| error.code() == "slot_busy"));
    stop(relay).await?;
    ensure!(StateDir::lock(bench.state.path()).is_ok());
    Ok(())
}

/// What a recovery sends is one transaction of the log, though it was many of the database: a backup may
/// end inside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_ends_inside_what_a_recovery_sent() -> Result<()> {
    let mut bench = Bench::start().await?;
    bench.send(4).await?;
    let unheard = bench.commit_some(5).await?;
    drop_slot(&bench).await?;
    let recovered = recover::lost_slot(&bench.options()).await?;
    ensure!((recovered.published, recovered.position) == (5, Position(9)), "{recovered:?}");

    let (server, pool) = restored(&bench, 6).await?;
    bench.postgres = server;
    bench.pool = pool;
    let recovered = recover::new_incarnation(&bench.options(), RestorePoint::Outbox).await?;
    ensure!(recovered.orphans.is_some_and(|orphans| orphans.events == 5));
    // The two that the backup does have are sent again.
    ensure!((recovered.published, recovered.position) == (2, Position(11)));
    let frontiers = bench.frontiers().await?;
    let told = frontiers.last().context("no frontier")?;
    ensure!(told.orphaned == [PositionRange { first: Position(5), last: Position(9) }], "{told:?}");
    let mut log = bench.log().await?;
    log.sort_by_key(|logged| logged.position);
    let again: Vec<_> = log[9..].iter().map(|logged| logged.event_id).collect();
    ensure!(again == unheard[..2], "{again:?}");

    // An older backup ends inside what was sent again, right behind the orphans: they stay what they are.
    let (server, pool) = restored(&bench, 5).await?;
    bench.postgres = server;
    bench.pool = pool;
    let recovered = recover::new_incarnation(&bench.options(), RestorePoint::Outbox).await?;
    ensure!((recovered.published, recovered.position) == (1, Position(12)), "{recovered:?}");
    let frontiers = bench.frontiers().await?;
    let told = frontiers.last().context("no frontier")?;
    let range = |first, last| PositionRange { first: Position(first), last: Position(last) };
    ensure!(told.orphaned == [range(5, 9), range(10, 11)], "{told:?}");
    Ok(())
}

/// Together with relay.json, or without it, a restored database looks like one that lost its slot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_slot_of_a_database_that_was_restored() -> Result<()> {
    let mut bench = Bench::start().await?;
    bench.send(10).await?;
    let (server, pool) = restored(&bench, 7).await?;
    bench.postgres = server;
    bench.pool = pool;
    std::fs::remove_file(bench.state.path().join("relay.json"))?;
    ensure!(halt(bench.options()).await?.code() == "pair_missing");
    let refused = recover::lost_slot(&bench.options()).await.map_err(|error| error.code());
    ensure!(refused == Err("tail_gone"), "{refused:?}");
    let recovered = recover::new_incarnation(&bench.options(), RestorePoint::Outbox).await?;
    ensure!(recovered.incarnation == 2, "{recovered:?}");
    ensure!(recovered.orphans.is_some_and(|orphans| orphans.events == 3));
    Ok(())
}
