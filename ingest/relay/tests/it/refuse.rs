//! What the relay does not start from, each with the name of the remedy.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use millrace_events::{EventId, Position, header};
use millrace_local::testing;
use millrace_relay::{Pair, Phase, Relay, StateDir};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::bench::{
    Bench, TOPIC, crash, eventually, halt, ids, stop, until, until_leading, until_position,
};

fn change_pair(bench: &Bench, change: impl FnOnce(&mut Pair)) -> Result<()> {
    let state = StateDir::lock(bench.state.path())?;
    let mut pair = state.load_pair()?.context("no pair")?;
    change(&mut pair);
    Ok(state.store_pair(&pair)?)
}

async fn delete_topic(bench: &Bench, topic: &str) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", bench.kafka.brokers()).create()?;
    for result in admin.delete_topics(&[topic], &AdminOptions::new()).await? {
        result.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_ahead_of_the_pair() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(3).await?;
    bench.commit_some(1).await?;
    sqlx::query("select pg_replication_slot_advance('millrace_relay', pg_current_wal_lsn())")
        .execute(&bench.pool)
        .await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "slot_ahead" && error.to_string().contains("recover lost-slot"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_slot() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(3).await?;
    sqlx::query("select pg_drop_replication_slot('millrace_relay')").execute(&bench.pool).await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "slot_missing" && error.to_string().contains("recover lost-slot"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invalidated_slot() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(3).await?;
    sqlx::raw_sql("alter system set max_slot_wal_keep_size = '1MB'").execute(&bench.admin).await?;
    sqlx::raw_sql("select pg_reload_conf()").execute(&bench.admin).await?;
    eventually("the slot invalidated", || async {
        sqlx::raw_sql("create table if not exists noise (n int); insert into noise values (1)")
            .execute(&bench.admin)
            .await?;
        sqlx::raw_sql("select pg_switch_wal()").execute(&bench.admin).await?;
        sqlx::raw_sql("checkpoint").execute(&bench.admin).await?;
        let status: String = sqlx::query_scalar("select wal_status from pg_replication_slots")
            .fetch_one(&bench.admin)
            .await?;
        Ok(status == "lost")
    })
    .await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "slot_invalidated", "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_or_timeline() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(3).await?;
    change_pair(&bench, |pair| pair.timeline += 1)?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "timeline_changed", "{error}");
    change_pair(&bench, |pair| pair.timeline -= 1)?;
    change_pair(&bench, |pair| pair.system_id.push('0'))?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "server_replaced", "{error}");
    ensure!(error.to_string().contains("recover new-incarnation"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_the_last_event_sent() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(3).await?;
    let pair = StateDir::lock(bench.state.path())?.load_pair()?.context("no pair")?;
    let last = pair.durable.last.context("no last event")?;
    sqlx::query("delete from sales.outbox where event_id = $1")
        .bind(last.event_id)
        .execute(&bench.admin)
        .await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "event_gone", "{error}");
    ensure!(error.to_string().contains(&last.event_id.to_string()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_without_a_pair() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(3).await?;
    std::fs::remove_file(bench.state.path().join("relay.json"))?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "pair_missing" && error.to_string().contains("position 3"), "{error}");
    ensure!(error.to_string().contains("recover lost-slot"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_without_a_pair_whose_frontier_was_not_told() -> Result<()> {
    let bench = Bench::start().await?;
    let mut options = bench.options();
    options.frontier_busy = Duration::from_secs(3600);
    let relay = bench.lead(options).await?;
    bench.commit_some(3).await?;
    until_position(&relay, 3).await?;
    crash(relay).await?;
    let told = bench.frontiers().await?.last().map(|told| told.position);
    ensure!(told.unwrap_or_default() < Position(3), "{told:?}");
    std::fs::remove_file(bench.state.path().join("relay.json"))?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "pair_missing" && error.to_string().contains("position 3"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_pair() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(3).await?;
    let path = bench.state.path().join("relay.json");
    let text = std::fs::read_to_string(&path)?;
    std::fs::write(&path, text.replacen("\"position\":3", "\"position\":4", 1))?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "state_corrupt", "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn copies_that_disagree() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(3).await?;
    let stranger = EventId::new();
    // Committed by the time of any event that follows, as far as its header says.
    for (key, value) in [("4", "1/0"), ("5", "FFFFFFFF/0")] {
        let headers = [
            (header::POSITION, key.to_owned()),
            (header::LSN, value.to_owned()),
            (header::TRANSACTION, "1/1".into()),
            (header::EVENT_ID, stranger.to_string()),
            (header::EVENT_TYPE, "thing.done".into()),
        ];
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(value) })
        });
        let producer: FutureProducer =
            ClientConfig::new().set("bootstrap.servers", bench.kafka.brokers()).create()?;
        let record = FutureRecord::to(TOPIC).key(key).payload("{}").headers(headers);
        producer.send(record, Duration::from_secs(5)).await.map_err(|(error, _)| error)?;
    }
    let own = bench.commit_some(1).await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "copies_disagree", "{error}");
    let text = error.to_string();
    ensure!(text.contains(&stranger.to_string()) && text.contains(&own[0].to_string()), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_its_tail_is_sent_it_again() -> Result<()> {
    let bench = Bench::start().await?;
    bench.send(30).await?;
    let before = bench.whole_log().await?;
    delete_topic(&bench, TOPIC).await?;
    let relay = bench.lead(bench.options()).await?;
    until_position(&relay, 30).await?;
    bench.commit_some(2).await?;
    until_position(&relay, 32).await?;
    stop(relay).await?;
    let after = bench.whole_log().await?;
    for (before, after) in before.iter().zip(&after) {
        ensure!((before.position, before.event_id) == (after.position, after.event_id));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_more_than_the_slot_has() -> Result<()> {
    let bench = Bench::start().await?;
    let mut options = bench.options();
    options.confirm_delay = Duration::ZERO;
    let relay = bench.lead(options).await?;
    bench.commit_some(10).await?;
    let status = until_position(&relay, 10).await?;
    until(&relay, |now| now.confirmed >= status.lsn).await?;
    stop(relay).await?;
    let before = ids(&bench.whole_log().await?);
    delete_topic(&bench, TOPIC).await?;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "log_lost", "{error}");

    // The remedy: the lost positions get tombstones, the outbox rows are sent at new ones.
    let recovered = millrace_relay::recover::lost_slot(&bench.options()).await?;
    ensure!((recovered.tombstones, recovered.published) == (10, 10), "{recovered:?}");
    ensure!(recovered.position == Position(20));
    let log = bench.whole_log().await?;
    ensure!(log[..10].iter().all(|logged| logged.value.is_none()));
    ensure!(ids(&log[10..]) == before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_log() -> Result<()> {
    let mut bench = Bench::start().await?;
    bench.send(10).await?;
    // A broker that another relay wrote to, for another database.
    let other = Bench::start().await?;
    other.send(20).await?;
    bench.kafka = other.kafka;
    let error = halt(bench.options()).await?;
    ensure!(error.code() == "log_foreign", "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_publication_is_waited_for() -> Result<()> {
    let (postgres, kafka) = tokio::try_join!(testing::postgres(), testing::kafka())?;
    let state = tempfile::tempdir()?;
    let relay = Relay::start(crate::bench::options(&postgres, kafka.brokers(), state.path()));
    let waiting = until(&relay, |status| matches!(status.phase, Phase::Waiting(_))).await?;
    ensure!(waiting.phase.error().is_some_and(|error| error.code() == "publication_missing"));
    crate::bench::prepare(&postgres).await?;
    until_leading(&relay).await?;
    stop(relay).await
}
