//! What readers rely on while the relay runs: frontier, tombstones, metrics of the slot.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use metrics_exporter_prometheus::PrometheusBuilder;
use millrace_events::Position;

use crate::bench::{Bench, Row, TOPIC, eventually, stop, until, until_position};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_frontier_reaches_a_token_of_a_write_without_events() -> Result<()> {
    let bench = Bench::start().await?;
    sqlx::raw_sql("create table quiet (n int)").execute(&bench.pool).await?;
    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(1).await?;
    until_position(&relay, 1).await?;
    for _ in 0..3 {
        sqlx::query("insert into quiet values (1)").execute(&bench.pool).await?;
        let token = bench.token().await?;
        until(&relay, |status| status.lsn >= token).await?;
        eventually("a frontier with the token", || async {
            Ok(bench.frontiers().await?.last().is_some_and(|told| told.lsn >= token))
        })
        .await?;
    }
    stop(relay).await?;
    let told = bench.frontiers().await?;
    ensure!(told.is_sorted_by_key(|told| (told.lsn, told.position)), "{told:?}");
    ensure!(told.last().is_some_and(|told| told.position == Position(1) && told.incarnation == 1));
    Ok(())
}

/// Whoever reads on while no relay runs must not wait for what is in the log already.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_that_ends_in_order_tells_the_whole_frontier() -> Result<()> {
    let bench = Bench::start().await?;
    let mut options = bench.options();
    let never = Duration::from_secs(3600);
    (options.frontier_busy, options.frontier_idle) = (never, never);
    let relay = bench.lead(options).await?;
    bench.commit_some(5).await?;
    let token = bench.token().await?;
    until(&relay, |status| status.position == Position(5) && status.lsn >= token).await?;
    stop(relay).await?;
    let told = bench.frontiers().await?;
    ensure!(told.last().is_some_and(|told| told.position == Position(5) && told.lsn >= token));
    Ok(())
}

/// A token may be taken in the middle of a record that an open transaction has not completed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_frontier_reaches_a_token_while_a_transaction_stays_open() -> Result<()> {
    let bench = Bench::start().await?;
    sqlx::raw_sql("create table quiet (t text)").execute(&bench.pool).await?;
    let relay = bench.lead(bench.options()).await?;
    let mut open = bench.pool.begin().await?;
    sqlx::query("insert into quiet select repeat('x', 5000) from generate_series(1, 500)")
        .execute(&mut *open)
        .await?;
    // The WAL writer flushes whole pages of what the open transaction wrote.
    let before = bench.token().await?;
    eventually("WAL of the open transaction flushed", || async {
        Ok(bench.token().await? > before)
    })
    .await?;
    let token = bench.token().await?;
    let asked = Instant::now();
    until(&relay, |status| status.lsn >= token).await?;
    // PostgreSQL itself completes the record after up to 15 s.
    ensure!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    open.rollback().await?;
    stop(relay).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_can_not_be_sent_leaves_a_tombstone() -> Result<()> {
    let bench = Bench::start().await?;
    let mut options = bench.options();
    options.message_bytes_max = 20_000;
    let relay = bench.lead(options).await?;
    let unknown = Row { topic: "nobody.reads.this".into(), ..Row::new("k", "{}") };
    // Compressible or not, an envelope counts as it is.
    let large = Row::new("k", "x".repeat(30_000));
    bench.commit(&[Row::new("k", "{}"), large.clone(), Row::new("k", "{}")]).await?;
    bench.commit(std::slice::from_ref(&unknown)).await?;
    bench.commit(&[Row::new("k", "{}")]).await?;
    until_position(&relay, 5).await?;
    stop(relay).await?;
    let log = bench.whole_log().await?;
    let empty: Vec<_> = log.iter().filter(|logged| logged.value.is_none()).collect();
    ensure!(empty.len() == 2, "{empty:?}");
    ensure!(empty[0].event_id == large.event_id && empty[0].position == 2);
    ensure!(empty[0].txn == (2, 3) && empty[0].key == "k" && empty[0].topic == TOPIC);
    ensure!(empty[1].event_id == unknown.event_id && empty[1].position == 4);
    let order: Vec<_> = log.iter().filter(|logged| logged.topic == TOPIC).collect();
    ensure!(order.is_sorted_by_key(|logged| logged.offset), "a tombstone keeps its place");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_slot_is_confirmed_with_a_delay_and_its_wal_is_measured() -> Result<()> {
    let bench = Bench::start().await?;
    let mut options = bench.options();
    options.confirm_delay = Duration::from_millis(1500);
    options.retained_alarm_percent = 0;
    let relay = bench.lead(options).await?;
    let begun = bench.slot_confirmed().await?;
    bench.commit_some(5).await?;
    let sent = until_position(&relay, 5).await?;
    ensure!(bench.slot_confirmed().await? == begun, "confirmed without delay");
    eventually("the slot confirmed", || async { Ok(bench.slot_confirmed().await? >= sent.lsn) })
        .await?;
    let status = until(&relay, |status| status.alarm.is_some()).await?;
    ensure!(status.retained_bytes > 0 && status.durable >= sent.lsn, "{status:?}");
    stop(relay).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_watch_is_measured() -> Result<()> {
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let bench = Bench::start().await?;
    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(5).await?;
    until_position(&relay, 5).await?;
    let documented: BTreeSet<&str> = include_str!("../../../../infra/docs/metrics.md")
        .split('`')
        .filter(|word| word.starts_with("millrace_relay_") && !word.contains(' '))
        .collect();
    ensure!(documented.len() == 5, "{documented:?}");
    eventually("exactly what is documented", || async {
        let text = metrics.render();
        let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        Ok(told.filter(|name| name.starts_with("millrace_relay_")).collect::<BTreeSet<_>>()
            == documented)
    })
    .await?;
    let text = metrics.render();
    for reason in ["slot", "lag"] {
        ensure!(text.contains(&format!("millrace_relay_alarm{{reason=\"{reason}\"}}")), "{text}");
    }
    let events = text.lines().find_map(|line| line.strip_prefix("millrace_relay_events_total "));
    ensure!(
        events.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 5)),
        "{text}"
    );
    stop(relay).await
}
