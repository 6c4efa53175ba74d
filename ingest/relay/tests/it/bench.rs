//! A PostgreSQL, a broker and a state directory for one test, and what a test asks of them.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use chrono::Utc;
use millrace_events::{EventId, Lsn, Position, Topic, header};
use millrace_local::testing;
use millrace_relay::{Phase, Relay, RelayHandle, RelayOptions, Status};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Headers;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use tempfile::TempDir;

pub const DEADLINE: Duration = Duration::from_secs(30);
pub const TOPIC: &str = "billing.events.v1";
/// More than the product's one: an order across partitions is what positions are for.
pub const PARTITIONS: i32 = 2;
pub const SCHEMAS: [&str; 2] = ["sales", "inventory"];

pub struct Bench {
    pub postgres: testing::Postgres,
    pub kafka: testing::Kafka,
    pub pool: PgPool,
    /// As the superuser.
    pub admin: PgPool,
    pub state: TempDir,
}

/// An event of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub position: u64,
    pub lsn: Lsn,
    pub txn: (u64, u64),
    pub event_id: EventId,
    pub event_type: String,
    pub traceparent: Option<String>,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub key: String,
    pub value: Option<String>,
}

/// An outbox row to append.
#[derive(Clone, Debug)]
pub struct Row {
    pub schema: &'static str,
    pub event_id: EventId,
    pub topic: String,
    pub key: String,
    pub traceparent: Option<String>,
    pub envelope: String,
}

impl Row {
    pub fn new(key: impl ToString, envelope: impl ToString) -> Self {
        Self {
            schema: SCHEMAS[0],
            event_id: EventId::new(),
            topic: TOPIC.into(),
            key: key.to_string(),
            traceparent: None,
            envelope: envelope.to_string(),
        }
    }
}

const OUTBOX: &str = "
    create schema if not exists {schema};
    create table {schema}.outbox (
        recorded_at timestamptz not null, event_id uuid not null, topic text not null,
        event_type text not null, aggregate_id text not null, traceparent text,
        envelope text not null
    ) partition by range (recorded_at);
    create table {schema}.outbox_default partition of {schema}.outbox default;
    alter publication millrace_outbox add table {schema}.outbox;";

impl Bench {
    pub async fn start() -> Result<Self> {
        let (postgres, kafka) = tokio::try_join!(testing::postgres(), testing::kafka())?;
        let pool = prepare(&postgres).await?;
        let admin = PgPool::connect(postgres.admin_url().expose_secret()).await?;
        Ok(Self { postgres, kafka, pool, admin, state: tempfile::tempdir()? })
    }

    /// The product's settings, but quick to notice and to retry.
    pub fn options(&self) -> RelayOptions {
        options(&self.postgres, self.kafka.brokers(), self.state.path())
    }

    /// A relay that leads: what is committed from now on comes out of the change stream.
    pub async fn lead(&self, options: RelayOptions) -> Result<RelayHandle> {
        let relay = Relay::start(options);
        until_leading(&relay).await?;
        Ok(relay)
    }

    /// A relay sends `count` events and ends in order.
    pub async fn send(&self, count: usize) -> Result<()> {
        let relay = self.lead(self.options()).await?;
        self.commit_some(count).await?;
        until_position(&relay, count).await?;
        stop(relay).await
    }

    pub async fn commit(&self, rows: &[Row]) -> Result<()> {
        let mut transaction = self.pool.begin().await?;
        append(&mut transaction, rows).await?;
        Ok(transaction.commit().await?)
    }

    /// Commits `count` transactions of one row each; tells their events.
    pub async fn commit_some(&self, count: usize) -> Result<Vec<EventId>> {
        let mut ids = Vec::new();
        for n in 0..count {
            let row = Row::new(n % 7, format!(r#"{{"n":{n}}}"#));
            ids.push(row.event_id);
            self.commit(&[row]).await?;
        }
        Ok(ids)
    }

    pub async fn token(&self) -> Result<Lsn> {
        let text: String = sqlx::query_scalar("select pg_current_wal_flush_lsn()::text")
            .fetch_one(&self.pool)
            .await?;
        Ok(text.parse()?)
    }

    pub async fn slot_confirmed(&self) -> Result<Lsn> {
        let text: String = sqlx::query_scalar(
            "select confirmed_flush_lsn::text from pg_replication_slots where slot_name = 'millrace_relay'",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(text.parse()?)
    }

    /// Every event message of the log, copies included, in the order of partitions and offsets.
    pub async fn log(&self) -> Result<Vec<Logged>> {
        let brokers = self.kafka.brokers().to_owned();
        tokio::task::spawn_blocking(move || read_log(&brokers)).await?
    }

    /// The log without gap and without copies, in the order of positions.
    pub async fn whole_log(&self) -> Result<Vec<Logged>> {
        let mut log = self.log().await?;
        log.sort_by_key(|logged| logged.position);
        for (at, logged) in (1..).zip(&log) {
            ensure!(logged.position == at, "position {at} is missing or twice: {logged:?}");
        }
        check_transactions(&log)?;
        Ok(log)
    }

    pub async fn frontiers(&self) -> Result<Vec<millrace_events::Frontier>> {
        let brokers = self.kafka.brokers().to_owned();
        tokio::task::spawn_blocking(move || {
            let mut frontiers = Vec::new();
            each_message(&brokers, &[(Topic::FRONTIER, 1)], |message| {
                let value = message.payload().context("a frontier without value")?;
                frontiers.push(serde_json::from_slice(value)?);
                Ok(())
            })?;
            Ok(frontiers)
        })
        .await?
    }
}

pub fn options(postgres: &testing::Postgres, brokers: &str, state: &Path) -> RelayOptions {
    let mut options = RelayOptions::new(postgres.url(), brokers, state, Arc::new(Utc::now));
    options.partitions = PARTITIONS;
    options.lease_retry = Duration::from_millis(50);
    options.backoff_max = Duration::from_millis(500);
    options.monitor_interval = Duration::from_millis(100);
    options.pair_interval = Duration::from_millis(20);
    options
}

/// Publication and outboxes as the kernel makes them.
pub async fn prepare(postgres: &testing::Postgres) -> Result<PgPool> {
    let pool = PgPool::connect(postgres.url().expose_secret()).await?;
    sqlx::raw_sql("create publication millrace_outbox with (publish = 'insert', publish_via_partition_root = true)")
        .execute(&pool)
        .await?;
    for schema in SCHEMAS {
        sqlx::raw_sql(AssertSqlSafe(OUTBOX.replace("{schema}", schema))).execute(&pool).await?;
    }
    Ok(pool)
}

pub async fn append(transaction: &mut Transaction<'_, Postgres>, rows: &[Row]) -> Result<()> {
    for row in rows {
        let sql = format!(
            "insert into {}.outbox values (clock_timestamp(), $1, $2, 'thing.done', $3, $4, $5)",
            row.schema
        );
        sqlx::query(AssertSqlSafe(sql))
            .bind(row.event_id)
            .bind(&row.topic)
            .bind(&row.key)
            .bind(&row.traceparent)
            .bind(&row.envelope)
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Waits until the relay's status satisfies `wanted`.
pub async fn until(relay: &RelayHandle, wanted: impl FnMut(&Status) -> bool) -> Result<Status> {
    let mut watch = relay.watch();
    let reached = tokio::time::timeout(DEADLINE, watch.wait_for(wanted)).await;
    match reached {
        Ok(Ok(status)) => Ok(status.clone()),
        Ok(Err(_)) => bail!("the relay has ended: {:?}", relay.status()),
        Err(_) => bail!("not reached in {DEADLINE:?}: {:?}", relay.status()),
    }
}

pub async fn until_position(relay: &RelayHandle, position: usize) -> Result<Status> {
    until(relay, |status| status.position >= Position(position as u64)).await
}

pub async fn until_leading(relay: &RelayHandle) -> Result<Status> {
    until(relay, |status| matches!(status.phase, Phase::Leading)).await
}

/// Ends a relay in order.
pub async fn stop(relay: RelayHandle) -> Result<()> {
    relay.shutdown();
    tokio::time::timeout(DEADLINE, relay.join())
        .await
        .context("the relay does not end")?
        .map_err(|error| anyhow::anyhow!(error.chain()))
}

/// Ends a relay as a crash would.
pub async fn crash(relay: RelayHandle) -> Result<()> {
    relay.abort();
    let mut watch = relay.watch();
    tokio::time::timeout(DEADLINE, async { while watch.changed().await.is_ok() {} })
        .await
        .context("the aborted relay goes on")
}

/// Starts a relay that has to halt; the code of why.
pub async fn halt(options: RelayOptions) -> Result<Arc<millrace_relay::Error>> {
    let relay = Relay::start(options);
    match tokio::time::timeout(DEADLINE, relay.join()).await {
        Ok(Err(error)) => Ok(error),
        Ok(Ok(())) => bail!("the relay ended without an error"),
        Err(_) => {
            let status = relay.status();
            relay.abort();
            bail!("the relay does not halt: {status:?}")
        }
    }
}

/// Polls until `done` says so.
pub async fn eventually<F: Future<Output = Result<bool>>>(
    what: &str,
    mut done: impl FnMut() -> F,
) -> Result<()> {
    let begun = Instant::now();
    while !done().await? {
        ensure!(begun.elapsed() < DEADLINE, "not reached in {DEADLINE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Each transaction's events stand together, numbered, under one LSN, and LSNs only grow.
fn check_transactions(log: &[Logged]) -> Result<()> {
    let mut transactions: BTreeMap<u64, Vec<&Logged>> = BTreeMap::new();
    for logged in log {
        transactions.entry(logged.position + 1 - logged.txn.0).or_default().push(logged);
    }
    let mut before = None;
    for (first, events) in transactions {
        let m = events.len() as u64;
        for (n, event) in (1..).zip(&events) {
            ensure!(event.txn == (n, m), "{event:?} is not {n} of {m}");
            ensure!(event.lsn == events[0].lsn, "{event:?} has another LSN than position {first}");
        }
        ensure!(
            before < Some(events[0].lsn),
            "position {first} was committed earlier than its predecessor"
        );
        before = Some(events[0].lsn);
    }
    Ok(())
}

pub fn ids(log: &[Logged]) -> HashSet<EventId> {
    log.iter().map(|logged| logged.event_id).collect()
}

fn read_log(brokers: &str) -> Result<Vec<Logged>> {
    let topics: Vec<_> = Topic::ALL.iter().map(|topic| (topic.as_str(), PARTITIONS)).collect();
    let mut log = Vec::new();
    each_message(brokers, &topics, |message| {
        let headers = message.headers().context("a message without headers")?;
        let find = |name: &str| {
            let header = headers.iter().find(|header| header.key == name)?;
            Some(String::from_utf8(header.value?.to_vec()).expect("headers are text"))
        };
        let required = |name: &str| find(name).with_context(|| format!("no header {name}"));
        let txn = required(header::TRANSACTION)?;
        let (n, m) = txn.split_once('/').context("n/m")?;
        log.push(Logged {
            position: required(header::POSITION)?.parse()?,
            lsn: required(header::LSN)?.parse()?,
            txn: (n.parse()?, m.parse()?),
            event_id: required(header::EVENT_ID)?.parse()?,
            event_type: required(header::EVENT_TYPE)?,
            traceparent: find(header::TRACEPARENT),
            topic: message.topic().into(),
            partition: message.partition(),
            offset: message.offset(),
            key: String::from_utf8(message.key().unwrap_or_default().to_vec())?,
            value: message
                .payload()
                .filter(|value| !value.is_empty())
                .map(|value| String::from_utf8(value.to_vec()))
                .transpose()?,
        });
        Ok(())
    })?;
    Ok(log)
}

fn each_message(
    brokers: &str,
    topics: &[(&str, i32)],
    mut visit: impl FnMut(&rdkafka::message::BorrowedMessage<'_>) -> Result<()>,
) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("group.id", "test")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    let mut left = BTreeMap::new();
    for &(topic, partitions) in topics {
        for partition in 0..partitions {
            let (low, high) = consumer.fetch_watermarks(topic, partition, DEADLINE)?;
            if low < high {
                assignment.add_partition_offset(topic, partition, Offset::Offset(low))?;
                left.insert((topic.to_owned(), partition), high);
            }
        }
    }
    consumer.assign(&assignment)?;
    while !left.is_empty() {
        let message = consumer.poll(DEADLINE).context("the log does not answer")??;
        let partition = (message.topic().to_owned(), message.partition());
        let Some(&high) = left.get(&partition) else { continue };
        visit(&message)?;
        if message.offset() + 1 >= high {
            left.remove(&partition);
        }
    }
    Ok(())
}
