//! F1 and F3: PostgreSQL or the broker go away and come back; writes go on, nothing is lost.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use millrace_relay::Phase;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use secrecy::ExposeSecret;
use url::Url;

use crate::bench::{Bench, eventually, stop, until, until_position};
use crate::proxy::Proxy;

fn signal(pid: Option<u32>, signal: Signal) -> Result<()> {
    let pid = pid.context("no process")?;
    Ok(kill(Pid::from_raw(i32::try_from(pid)?), signal)?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_stands_still_for_a_while() -> Result<()> {
    let bench = Bench::start().await?;
    let mut options = bench.options();
    options.lag_alarm = Duration::from_millis(500);
    let relay = bench.lead(options).await?;
    bench.commit_some(10).await?;
    until_position(&relay, 10).await?;
    signal(bench.kafka.pid(), Signal::SIGSTOP)?;
    bench.commit_some(50).await?;
    until(&relay, |status| status.alarm.is_some()).await?;
    signal(bench.kafka.pid(), Signal::SIGCONT)?;
    until_position(&relay, 60).await?;
    until(&relay, |status| status.alarm.is_none()).await?;
    stop(relay).await?;
    bench.whole_log().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_broker_is_killed() -> Result<()> {
    let bench = Bench::start().await?;
    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(10).await?;
    until_position(&relay, 10).await?;
    signal(bench.kafka.pid(), Signal::SIGKILL)?;
    bench.commit_some(50).await?;
    until_position(&relay, 60).await?;
    stop(relay).await?;
    let log = bench.log().await?;
    ensure!(crate::bench::ids(&log).len() == 60);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed() -> Result<()> {
    let bench = Bench::start().await?;
    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(10).await?;
    until_position(&relay, 10).await?;
    let killed = bench.postgres.pid();
    signal(killed, Signal::SIGKILL)?;
    eventually("PostgreSQL to come back", || async {
        Ok(bench.postgres.pid() != killed && bench.token().await.is_ok())
    })
    .await?;
    bench.commit_some(10).await?;
    until_position(&relay, 20).await?;
    stop(relay).await?;
    bench.whole_log().await?;
    Ok(())
}

/// F8: the connection is dead, but nobody says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_connection_is_noticed() -> Result<()> {
    let bench = Bench::start().await?;
    let mut url = Url::parse(bench.postgres.url().expose_secret())?;
    let target = format!("127.0.0.1:{}", url.port().context("a port")?);
    let proxy = Proxy::to(target).await?;
    url.set_port(Some(proxy.address.port())).map_err(|()| anyhow::anyhow!("a port"))?;
    let mut options = bench.options();
    options.postgres_url = url.as_str().into();
    options.stall_timeout = Duration::from_secs(2);
    let relay = bench.lead(options).await?;
    bench.commit_some(5).await?;
    until_position(&relay, 5).await?;
    proxy.half_open();
    bench.commit_some(5).await?;
    // PostgreSQL gives the slot up once it misses its answers, or is told to.
    until(&relay, |status| !matches!(status.phase, Phase::Leading)).await?;
    sqlx::query("select pg_terminate_backend(active_pid) from pg_replication_slots where active")
        .execute(&bench.admin)
        .await?;
    until_position(&relay, 10).await?;
    stop(relay).await?;
    bench.whole_log().await?;
    Ok(())
}
