//! A database of its own for each test, cheaply: copied from a migrated template.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::{Clock, Kernel, Result, Service, Settings, migrate};

/// Two tests that need the same template wait for each other on this advisory lock.
const LOCK: i64 = 0x7465_6d70_6c61_7465;

/// A kernel on a fresh database with the services' schemas. `server` is a URL of any database of
/// the server, with the right to create more. The URL of the fresh one comes back too.
///
/// # Errors
/// As [`migrate`].
pub async fn fresh(
    server: &SecretString,
    clock: Arc<dyn Clock>,
    services: &[&Service],
) -> Result<(Kernel, SecretString)> {
    let options: PgConnectOptions = server.expose_secret().parse()?;
    // Advisory locks are a database's own: everybody has to meet in the same one.
    let mut connection = options.clone().database("postgres").connect().await?;
    sqlx::query("select pg_advisory_lock($1)").bind(LOCK).execute(&mut connection).await?;
    let template = template(&mut connection, &options, &clock, services).await?;
    let name = format!("test_{}", Uuid::new_v4().simple());
    let sql = format!("create database {name} template {template}");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    connection.close().await?;
    let url = url(&options, &name);
    let settings = Settings { connections_max: 16, ..Settings::default() };
    Ok((Kernel::connect_with(&url, clock, settings).await?, url))
}

async fn template(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
    clock: &Arc<dyn Clock>,
    services: &[&Service],
) -> Result<String> {
    let mut hash = Sha256::new();
    for service in services {
        hash.update(service.schema);
        for migration in service.migrator.iter() {
            hash.update(&migration.checksum);
        }
    }
    let name = format!("template_{}", hex::encode(&hash.finalize()[..12]));
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut *connection)
            .await?;
    if !exists {
        let unfinished = format!("{name}_new");
        for sql in [
            format!("drop database if exists {unfinished} with (force)"),
            format!("create database {unfinished}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
        let kernel = Kernel::connect(&url(options, &unfinished), clock.clone()).await?;
        migrate(&kernel, services).await?;
        kernel.close().await;
        let sql = format!("alter database {unfinished} rename to {name}");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(name)
}

fn url(options: &PgConnectOptions, database: &str) -> SecretString {
    let mut url = options.clone().database(database).to_url_lossy();
    // What only one of the two clients knows.
    url.set_query(None);
    url.to_string().into()
}
