//! PostgreSQL: passwords, rights of the role, restart after `kill -9`, nothing lost.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use millrace_local::{Options, PostgresSettings, Stack, testing};
use nix::sys::signal::Signal;
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::{Connection as _, PgConnection};

use crate::process::{eventually, send};

async fn connect(url: &SecretString) -> Result<PgConnection> {
    Ok(PgConnection::connect(url.expose_secret()).await?)
}

#[tokio::test]
async fn the_role_owns_its_database_and_may_replicate_but_is_no_superuser() -> Result<()> {
    let postgres = testing::postgres().await?;
    let mut connection = connect(&postgres.url()).await?;
    let (is_super, may_replicate, owner): (bool, bool, bool) = sqlx::query_as(
        "select rolsuper, rolreplication, (select datdba = r.oid from pg_database where datname = current_database())
         from pg_roles r where rolname = current_user",
    )
    .fetch_one(&mut connection)
    .await?;
    assert_eq!((is_super, may_replicate, owner), (false, true, true));

    let settings: Vec<(String, String)> = sqlx::query_as(
        "select name, setting from pg_settings
         where name in ('fsync', 'listen_addresses', 'unix_socket_directories', 'wal_level') order by name",
    )
    .fetch_all(&mut connection)
    .await?;
    let expected = [
        ("fsync", "on"),
        ("listen_addresses", "127.0.0.1"),
        ("unix_socket_directories", ""),
        ("wal_level", "logical"),
    ];
    assert_eq!(settings, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));

    let distance: f64 = sqlx::query_scalar("select '[1,2]'::vector <-> '[1,3]'::vector")
        .fetch_one(&mut connection)
        .await?;
    assert_eq!(distance, 1.0);

    let slot: String = sqlx::query_scalar(
        "select slot_name::text from pg_create_logical_replication_slot('s', 'pgoutput')",
    )
    .fetch_one(&mut connection)
    .await?;
    assert_eq!(slot, "s");
    Ok(())
}

#[tokio::test]
async fn a_wrong_password_is_refused() -> Result<()> {
    let postgres = testing::postgres().await?;
    let url: reqwest::Url = postgres.url().expose_secret().parse()?;
    let mut wrong = url.clone();
    wrong.set_password(Some("wrong")).expect("the URL takes a password");
    let error = PgConnection::connect(wrong.as_str()).await.unwrap_err();
    assert!(error.to_string().contains("password authentication failed"), "{error}");
    Ok(())
}

#[tokio::test]
async fn it_does_not_run_as_root() -> Result<()> {
    let postgres = testing::postgres().await?;
    let pid = postgres.pid().context("running")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let uid = status
        .lines()
        .find_map(|l| l.strip_prefix("Uid:"))
        .context("uid")?
        .split_whitespace()
        .nth(1)
        .context("euid")?;
    assert_ne!(uid, "0");
    Ok(())
}

#[tokio::test]
async fn killed_it_comes_back_on_the_same_port_with_what_was_committed() -> Result<()> {
    let postgres = testing::postgres().await?;
    let url = postgres.url();
    let mut connection = connect(&url).await?;
    sqlx::raw_sql("create table kept (n int); insert into kept select generate_series(1, 1000)")
        .execute(&mut connection)
        .await?;
    let before = postgres.pid().context("running")?;
    send(before, Signal::SIGKILL)?;
    let count: i64 = eventually("PostgreSQL is back", async || {
        ensure!(postgres.pid().is_some_and(|pid| pid != before), "not restarted yet");
        let mut connection = connect(&url).await?;
        Ok(sqlx::query_scalar("select count(*) from kept").fetch_one(&mut connection).await?)
    })
    .await?;
    assert_eq!(count, 1000);
    Ok(())
}

#[tokio::test]
async fn a_lost_backend_is_postgresqls_own_affair_and_so_are_full_connections() -> Result<()> {
    let settings =
        PostgresSettings { max_connections: 10, shared_buffers_mib: 16, ..Default::default() };
    let postgres = testing::postgres_with(settings).await?;
    let (url, before) = (postgres.url(), postgres.pid());
    let mut connection = connect(&url).await?;
    let backend: i32 =
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await?;
    send(backend.try_into()?, Signal::SIGKILL)?;
    // It ends all sessions and recovers, under the same postmaster.
    eventually("PostgreSQL takes sessions again", async || {
        connect(&url).await?.ping().await.map_err(Into::into)
    })
    .await?;

    // As many as it takes; three are kept for superusers.
    let mut held = Vec::new();
    while let Ok(connection) = connect(&url).await {
        held.push(connection);
        ensure!(held.len() < 10, "more connections than max_connections");
    }
    // Longer than three health checks.
    tokio::time::sleep(Duration::from_secs(17)).await;
    drop(held);
    eventually("PostgreSQL takes sessions again", async || {
        connect(&url).await?.ping().await.map_err(Into::into)
    })
    .await?;
    assert_eq!(postgres.pid(), before);
    Ok(())
}

#[tokio::test]
async fn databases_of_one_cluster_are_separate_and_have_vectors() -> Result<()> {
    let (a, b) = (testing::database().await?, testing::database().await?);
    let mut a = connect(&a).await?;
    let mut b = connect(&b).await?;
    sqlx::raw_sql("create table only_in_a (v vector(3))").execute(&mut a).await?;
    let found: Option<String> =
        sqlx::query_scalar("select to_regclass('only_in_a')::text").fetch_one(&mut b).await?;
    assert_eq!(found, None);
    Ok(())
}

#[tokio::test]
async fn a_new_cluster_has_a_system_identifier_of_its_own() -> Result<()> {
    const IDENTIFIER: &str = "select system_identifier::text from pg_control_system()";
    let (copied, made) = (testing::postgres().await?, testing::new_postgres().await?);
    let a: String =
        sqlx::query_scalar(IDENTIFIER).fetch_one(&mut connect(&copied.url()).await?).await?;
    let b: String =
        sqlx::query_scalar(IDENTIFIER).fetch_one(&mut connect(&made.url()).await?).await?;
    assert_ne!(a, b);
    Ok(())
}

/// Matters for root: a checkout under `/root` is closed to the user that PostgreSQL runs as.
#[tokio::test]
async fn a_data_directory_in_a_closed_folder_works_and_a_new_one_there_starts_empty() -> Result<()>
{
    // Temporary folders are closed to others.
    let closed = tempfile::tempdir()?;
    let data_dir = closed.path().join("data");
    let start = async || Stack::start(Options::new(&data_dir)).await;

    let stack = start().await?;
    let url = stack.endpoints().postgres_url.clone();
    sqlx::raw_sql("create table kept (n int)").execute(&mut connect(&url).await?).await?;
    stack.shutdown().await;
    let stack = start().await?;
    sqlx::raw_sql("select n from kept").execute(&mut connect(&url).await?).await?;
    stack.shutdown().await;

    std::fs::remove_dir_all(&data_dir)?;
    let stack = start().await?;
    let mut connection = connect(&stack.endpoints().postgres_url).await?;
    let kept: Option<String> =
        sqlx::query_scalar("select to_regclass('kept')::text").fetch_one(&mut connection).await?;
    assert_eq!(kept, None);
    stack.shutdown().await;
    let elsewhere = std::fs::canonicalize(data_dir.join("postgres"))?;
    std::fs::remove_dir_all(elsewhere)?;
    Ok(())
}
