//! How fast the relay is: a backlog of transactions, then single commits until a consumer has them.
//!
//! Starts its own PostgreSQL and broker. The last line on stdout is a JSON object.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::Utc;
use millrace_events::{Position, Topic, header};
use millrace_local::testing;
use millrace_relay::{Phase, Relay, RelayHandle, RelayOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use secrecy::ExposeSecret;
use sqlx::PgPool;

const BACKLOG_TRANSACTIONS: u64 = 20_000;
const ROWS: u64 = 3;
const LIVE_COMMITS: u64 = 1000;
const LIVE_PAUSE: Duration = Duration::from_millis(5);

const PREPARE: &str = "
    create publication millrace_outbox with (publish = 'insert', publish_via_partition_root = true);
    create schema sales;
    create table sales.outbox (
        recorded_at timestamptz not null, event_id uuid not null, topic text not null,
        event_type text not null, aggregate_id text not null, traceparent text,
        envelope text not null
    ) partition by range (recorded_at);
    create table sales.outbox_default partition of sales.outbox default;
    alter publication millrace_outbox add table sales.outbox;";

/// A kilobyte of envelope that does not compress to nothing.
const APPEND: &str = "
    insert into sales.outbox
    select clock_timestamp(), gen_random_uuid(), 'billing.events.v1', 'thing.done', n::text, null,
           '{\"n\": \"' || (select string_agg(gen_random_uuid()::text, '') from generate_series(1, 27 + n * 0)) || '\"}'
      from generate_series(1, 3) as n";

#[tokio::main]
async fn main() -> Result<()> {
    let (postgres, kafka) = tokio::try_join!(testing::postgres(), testing::kafka())?;
    let pool = PgPool::connect(postgres.url().expose_secret()).await?;
    sqlx::raw_sql(PREPARE).execute(&pool).await?;
    let state = tempfile::tempdir()?;
    let options =
        RelayOptions::new(postgres.url(), kafka.brokers(), state.path(), Arc::new(Utc::now));

    let relay = lead(&options).await?;
    relay.shutdown();
    relay.join().await.map_err(|error| anyhow::anyhow!(error.chain()))?;
    let fill = format!(
        "do $$ begin for i in 1..{BACKLOG_TRANSACTIONS} loop {APPEND}; commit; end loop; end $$"
    );
    let mut filler = pool.acquire().await?;
    // A statement of its own: `do` may only commit outside a transaction block.
    sqlx::raw_sql("set synchronous_commit = off").execute(&mut *filler).await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(fill)).execute(&mut *filler).await?;
    drop(filler);
    let begun = Instant::now();
    let relay = lead(&options).await?;
    let led = begun.elapsed();
    let events = BACKLOG_TRANSACTIONS * ROWS;
    let mut watch = relay.watch();
    watch.wait_for(|status| status.position >= Position(events)).await?;
    let backlog = begun.elapsed();

    let mut latencies = live(&pool, kafka.brokers()).await?;
    relay.shutdown();
    relay.join().await.map_err(|error| anyhow::anyhow!(error.chain()))?;
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len() as f64 * share) as usize;
        latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    };
    let report = serde_json::json!({
        "backlog_events": events,
        "start_seconds": led.as_secs_f64(),
        "backlog_seconds": backlog.as_secs_f64(),
        "events_per_second": events as f64 / (backlog - led).as_secs_f64(),
        "commit_to_consumer_ms": {"p50": at(0.50), "p95": at(0.95), "p99": at(0.99)},
    });
    #[expect(clippy::print_stdout, reason = "the result")]
    {
        println!("{report}");
    }
    Ok(())
}

async fn lead(options: &RelayOptions) -> Result<RelayHandle> {
    let relay = Relay::start(options.clone());
    relay.watch().wait_for(|status| matches!(status.phase, Phase::Leading)).await?;
    Ok(relay)
}

/// Commits one transaction at a time; from the return of each commit until a consumer has its last event.
async fn live(pool: &PgPool, brokers: &str) -> Result<Vec<Duration>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "rate")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..2 {
        let topic = Topic::Billing.as_str();
        let (_, high) = consumer.fetch_watermarks(topic, partition, Duration::from_secs(10))?;
        assignment.add_partition_offset(topic, partition, Offset::Offset(high))?;
    }
    consumer.assign(&assignment)?;
    let done = Arc::new(AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let reader = std::thread::spawn(move || -> Result<HashMap<String, Instant>> {
        let mut arrived = HashMap::new();
        while !stop.load(Ordering::Relaxed) {
            let Some(message) = consumer.poll(Duration::from_millis(20)) else { continue };
            let message = message?;
            let headers = message.headers().context("headers")?;
            let id = headers.iter().find(|header| header.key == header::EVENT_ID);
            let id = id.and_then(|header| header.value).context("event id")?;
            arrived.insert(String::from_utf8(id.to_vec())?, Instant::now());
        }
        Ok(arrived)
    });
    let mut committed = HashMap::new();
    let returning = format!("{APPEND} returning event_id::text");
    for _ in 0..LIVE_COMMITS {
        let ids: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(returning.clone())).fetch_all(pool).await?;
        let at = Instant::now();
        committed.extend(ids.into_iter().map(|id| (id, at)));
        tokio::time::sleep(LIVE_PAUSE).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    done.store(true, Ordering::Relaxed);
    let arrived = reader.join().map_err(|_| anyhow::anyhow!("the consumer panicked"))??;
    committed
        .iter()
        .map(|(id, at)| {
            let arrived = arrived.get(id).with_context(|| format!("{id} never arrived"))?;
            Ok(arrived.saturating_duration_since(*at))
        })
        .collect()
}
