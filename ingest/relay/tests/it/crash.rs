//! OUT-4 and F2 at the relay's seams: after a crash the same events have the same positions.

use std::time::Duration;

use anyhow::{Result, ensure};
use millrace_relay::StateDir;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::bench::{Bench, Row, crash, ids, stop, until, until_position};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_produce_before_pair() -> Result<()> {
    let bench = Bench::start().await?;
    let mut options = bench.options();
    options.pair_interval = Duration::from_secs(3600);
    let relay = bench.lead(options).await?;
    bench.commit_some(20).await?;
    until_position(&relay, 20).await?;
    crash(relay).await?;
    let before = bench.whole_log().await?;
    let pair = StateDir::lock(bench.state.path())?.load_pair()?;
    ensure!(pair.is_some_and(|pair| pair.durable.position.0 == 0), "the pair was written");

    let relay = bench.lead(bench.options()).await?;
    until_position(&relay, 20).await?;
    bench.commit_some(5).await?;
    until_position(&relay, 25).await?;
    stop(relay).await?;
    let after = bench.whole_log().await?;
    ensure!(after[..20] == before[..], "positions moved");
    ensure!(ids(&after).len() == 25);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_pair_before_slot_confirm() -> Result<()> {
    let bench = Bench::start().await?;
    let relay = bench.lead(bench.options()).await?;
    let begun = bench.slot_confirmed().await?;
    bench.commit_some(20).await?;
    let sent = until_position(&relay, 20).await?;
    until(&relay, |status| status.durable >= sent.lsn).await?;
    crash(relay).await?;
    ensure!(bench.slot_confirmed().await? == begun, "the slot was confirmed at once");
    let before = bench.whole_log().await?;

    let relay = bench.lead(bench.options()).await?;
    bench.commit_some(5).await?;
    until_position(&relay, 25).await?;
    stop(relay).await?;
    let after = bench.whole_log().await?;
    ensure!(after[..20] == before[..], "positions moved");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_random_while_writers_go_on() -> Result<()> {
    let seed = 7_031;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let bench = Bench::start().await?;
    let pool = bench.pool.clone();
    let writer = tokio::spawn(async move {
        let mut sent = 0;
        for n in 0..400 {
            let rows: Vec<_> = (0..=n % 4).map(|m| Row::new(n % 13 + m, "{}")).collect();
            let mut transaction = pool.begin().await?;
            crate::bench::append(&mut transaction, &rows).await?;
            transaction.commit().await?;
            sent += rows.len();
        }
        anyhow::Ok(sent)
    });
    for _ in 0..8 {
        let mut options = bench.options();
        options.pair_interval = Duration::from_millis(rng.random_range(0..200));
        options.confirm_delay = Duration::from_millis(rng.random_range(0..200));
        let relay = bench.lead(options).await?;
        tokio::time::sleep(Duration::from_millis(rng.random_range(0..150))).await;
        crash(relay).await?;
    }
    let sent = writer.await??;
    let relay = bench.lead(bench.options()).await?;
    until_position(&relay, sent).await?;
    stop(relay).await?;
    let log = bench.log().await?;
    ensure!(ids(&log).len() == sent, "{} of {sent} events", ids(&log).len());
    // Copies are allowed, but each agrees with its first.
    let mut positions = std::collections::BTreeMap::new();
    for logged in &log {
        let first = positions.entry(logged.position).or_insert(logged.event_id);
        ensure!(*first == logged.event_id, "seed {seed}: two events at {}", logged.position);
    }
    ensure!(positions.keys().copied().eq(1..=sent as u64), "seed {seed}: a gap");
    Ok(())
}
