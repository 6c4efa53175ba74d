//! One leader: the slot is the lease.

use anyhow::{Result, ensure};
use millrace_relay::{Phase, Relay};

use crate::bench::{Bench, crash, stop, until, until_leading, until_position};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_relays_one_leads_and_the_other_takes_over() -> Result<()> {
    let bench = Bench::start().await?;
    let leader = bench.lead(bench.options()).await?;
    bench.commit_some(3).await?;
    until_position(&leader, 3).await?;
    let second = Relay::start(bench.options());
    let waiting = until(&second, |status| matches!(status.phase, Phase::Waiting(_))).await?;
    ensure!(waiting.phase.error().is_some_and(|error| error.code() == "state_locked"));
    bench.commit_some(3).await?;
    until_position(&leader, 6).await?;
    crash(leader).await?;
    until_leading(&second).await?;
    bench.commit_some(3).await?;
    until_position(&second, 9).await?;
    stop(second).await?;
    bench.whole_log().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_with_another_state_directory_waits_for_the_slot() -> Result<()> {
    let bench = Bench::start().await?;
    let leader = bench.lead(bench.options()).await?;
    bench.commit_some(3).await?;
    let sent = until_position(&leader, 3).await?;
    until(&leader, |status| status.durable >= sent.lsn).await?;
    let elsewhere = tempfile::tempdir()?;
    std::fs::copy(bench.state.path().join("relay.json"), elsewhere.path().join("relay.json"))?;
    let mut options = bench.options();
    options.state_dir = elsewhere.path().into();
    let second = Relay::start(options);
    let waiting = until(&second, |status| matches!(status.phase, Phase::Waiting(_))).await?;
    ensure!(waiting.phase.error().is_some_and(|error| error.code() == "slot_busy"));
    bench.commit_some(3).await?;
    until_position(&leader, 6).await?;
    stop(leader).await?;
    until_leading(&second).await?;
    bench.commit_some(3).await?;
    until_position(&second, 9).await?;
    stop(second).await?;
    bench.whole_log().await?;
    Ok(())
}
