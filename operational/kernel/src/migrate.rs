//! Schemas: one per service, with its own migrations, outbox and idempotency table.

use chrono::{DateTime, Days, TimeDelta, Utc};
use futures::future::BoxFuture;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::{Error, Kernel, Result};

const PUBLICATION: &str = "millrace_outbox";
/// Two migrations of one database wait for each other on this advisory lock.
const LOCK: i64 = 0x6d69_6c6c_7261_6365;
/// Day partitions kept ready.
const DAYS_AHEAD: u64 = 7;
/// How long a repeated command is recognised.
pub const KEY_AGE: TimeDelta = TimeDelta::days(7);

/// Puts in what a service has to have from the start.
pub type Seed = fn(Kernel) -> BoxFuture<'static, Result<()>>;

/// A service: its schema, how that is made, and what has to be in it from the start.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    pub schema: &'static str,
    pub migrator: &'static Migrator,
    /// Run after the migrations, every time.
    pub seed: Option<Seed>,
}

/// Makes or updates the schemas, in the order given, so that a service comes after those it calls.
///
/// # Errors
/// [`Error::Migrate`] or [`Error::Database`].
pub async fn migrate(kernel: &Kernel, services: &[&Service]) -> Result<()> {
    for service in services {
        let mut tx = kernel.pool().begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *tx).await?;
        create_shared_tables(&mut tx, service.schema).await?;
        tx.commit().await?;

        let mut migrator = Migrator::with_migrations(service.migrator.iter().cloned().collect());
        migrator.dangerous_set_table_name(format!("{}._sqlx_migrations", service.schema));
        // An older binary may run beside a newer schema: changes expand first, contract later.
        migrator.set_ignore_missing(true);
        migrator
            .run(kernel.pool())
            .await
            .map_err(|source| Error::Migrate { schema: service.schema, source })?;
    }
    create_partitions(kernel, services).await?;
    for seed in services.iter().filter_map(|service| service.seed) {
        seed(kernel.clone()).await?;
    }
    Ok(())
}

/// Refuses to go on with a service whose events would reach nobody.
///
/// # Errors
/// [`Error::NotPublished`] naming the schema.
pub async fn require_published(pool: &PgPool, services: &[&Service]) -> Result<()> {
    let published: Vec<String> = sqlx::query_scalar(
        "select schemaname::text from pg_publication_tables where pubname = $1 and tablename = 'outbox'",
    )
    .bind(PUBLICATION)
    .fetch_all(pool)
    .await?;
    match services.iter().find(|service| !published.iter().any(|name| name == service.schema)) {
        Some(service) => Err(Error::NotPublished { schema: service.schema.to_owned() }),
        None => Ok(()),
    }
}

/// Housekeeping, to be called once a day: outbox partitions for the days to come, and idempotency
/// keys forgotten after [`KEY_AGE`].
///
/// # Errors
/// [`Error::Database`].
pub async fn maintain(kernel: &Kernel, services: &[&Service]) -> Result<()> {
    create_partitions(kernel, services).await?;
    for service in services {
        let sql = format!("delete from {}.idempotency where recorded_at < $1", service.schema);
        sqlx::query(AssertSqlSafe(sql)).bind(kernel.now() - KEY_AGE).execute(kernel.pool()).await?;
    }
    Ok(())
}

async fn create_partitions(kernel: &Kernel, services: &[&Service]) -> Result<()> {
    for service in services {
        for ahead in 0..=DAYS_AHEAD {
            let day = kernel.now() + Days::new(ahead);
            create_partition(kernel.pool(), service.schema, day).await?;
        }
    }
    Ok(())
}

async fn create_partition(pool: &PgPool, schema: &str, day: DateTime<Utc>) -> Result<()> {
    let name = format!("{schema}.outbox_{}", day.format("%Y%m%d"));
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(&name)
        .fetch_one(pool)
        .await?;
    if exists {
        return Ok(());
    }
    let (from, to) = (day.date_naive(), (day + Days::new(1)).date_naive());
    let sql = format!(
        "create table if not exists {name} partition of {schema}.outbox \
         for values from ('{from} 00:00+00') to ('{to} 00:00+00')"
    );
    let result = sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.map_err(Error::from);
    match result {
        // Rows of that day are in the default partition already: they stay there.
        Err(error) if error.sqlstate().as_deref() == Some("23514") => {
            tracing::warn!(schema, %from, "outbox rows of the day stay in the default partition");
            Ok(())
        }
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

async fn create_shared_tables(connection: &mut PgConnection, schema: &str) -> Result<()> {
    let sql = format!(
        "
        create schema if not exists {schema};
        create table if not exists {schema}.outbox (
            recorded_at    timestamptz not null,
            event_id       uuid not null,
            topic          text not null,
            event_type     text not null,
            aggregate_id   text not null,
            traceparent    text,
            envelope       text not null
        ) partition by range (recorded_at);
        create table if not exists {schema}.outbox_default partition of {schema}.outbox default;
        create table if not exists {schema}.idempotency (
            actor_id       uuid not null,
            key            text not null,
            command        text not null,
            body_hash      bytea not null,
            response       text not null,
            recorded_at    timestamptz not null,
            constraint idempotency_pkey primary key (actor_id, key)
        );
        "
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_publication where pubname = $1)")
            .bind(PUBLICATION)
            .fetch_one(&mut *connection)
            .await?;
    if !exists {
        let sql = format!(
            "create publication {PUBLICATION} \
             with (publish = 'insert', publish_via_partition_root = true)"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    let published: bool = sqlx::query_scalar(
        "select exists (select from pg_publication_tables \
         where pubname = $1 and schemaname = $2 and tablename = 'outbox')",
    )
    .bind(PUBLICATION)
    .bind(schema)
    .fetch_one(&mut *connection)
    .await?;
    if !published {
        let sql = format!("alter publication {PUBLICATION} add table {schema}.outbox");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}
