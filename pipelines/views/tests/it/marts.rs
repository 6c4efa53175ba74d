//! OLP-1 and PIP-3: marts hold what views hold, through crashes, restarts and a lost ClickHouse.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::util::display::array_value_to_string;
use millrace_events::{Position, Token};
use millrace_local::testing;
use millrace_olap::{Connection, LoaderOptions};
use millrace_views::{Error, Mart, Pipeline, PipelineHandle, PipelineOptions, Target};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use secrecy::SecretString;

use crate::events::Business;
use crate::log::Log;
use crate::pipeline::{SOON, every_live_view_is_true, feeds, options, runtime};

fn with_marts(folder: &Path, server: &testing::ClickHouse) -> PipelineOptions {
    let connection = Connection::new(server.url(), server.user(), server.password());
    let mut loading = LoaderOptions::new(connection);
    loading.flush_interval = Duration::from_millis(20);
    loading.retry_pause_max = Duration::from_millis(500);
    let mut options = options(folder);
    options.marts = Some(loading);
    options
}

async fn every_mart_is_true(pipeline: &PipelineHandle) {
    let kept = pipeline.views().into_iter().filter(|view| view.mart != Mart::None);
    let audit = pipeline.audit().await.expect("an audit");
    let marts = audit.marts.expect("ClickHouse tells");
    assert_eq!(marts.len(), kept.count());
    for reconciled in marts {
        assert!(reconciled.difference.is_none(), "{reconciled:?}");
    }
}

#[test]
fn marts_equal_views_after_crashes_at_random_moments() {
    let outer = runtime();
    let server = outer.block_on(testing::clickhouse()).expect("ClickHouse");
    let seed = 31;
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(seed, 6);
    let mut business = Business::new(seed);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    for _ in 0..4 {
        let runtime = runtime();
        runtime.block_on(async {
            let mut options = with_marts(folder.path(), &server);
            options.checkpoint_events = rng.random_range(5..40);
            let pipeline = Pipeline::start(options, feeds(&log)).await.expect("started");
            (0..30).for_each(|_| log.append(business.next()));
            pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
            tokio::time::sleep(Duration::from_millis(rng.random_range(0..150))).await;
        });
        runtime.shutdown_background();
    }
    outer.block_on(async {
        let options = with_marts(folder.path(), &server);
        let pipeline = Pipeline::start(options, feeds(&log)).await.expect("started");
        pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        every_mart_is_true(&pipeline).await;
        pipeline.shutdown().await;
    });
}

#[test]
fn marts_that_are_lost_are_filled_again_and_readers_never_go_back() {
    let runtime = runtime();
    let server = runtime.block_on(testing::clickhouse()).expect("ClickHouse");
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(32, 4);
    let mut business = Business::new(32);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    (0..20).for_each(|_| log.append(business.next()));
    runtime.block_on(async {
        let options = || with_marts(folder.path(), &server);
        let first = Pipeline::start(options(), feeds(&log)).await.expect("started");
        first.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        let (clickhouse, _) = {
            let loader = first.loader().expect("marts");
            let (clickhouse, database) = loader.clickhouse();
            (clickhouse.clone(), database.to_owned())
        };
        first.shutdown().await;
        clickhouse.execute("lose", "drop database millrace sync").await.expect("dropped");

        let second = Pipeline::start(options(), feeds(&log)).await.expect("started");
        let before = log.end();
        assert_eq!(second.published().expect("published").position, before);
        (0..5).for_each(|_| log.append(business.next()));
        let filled_again = async {
            let mut seen = before;
            loop {
                let position = second.published().expect("published").position;
                assert!(position >= seen, "readers went back from {seen} to {position}");
                seen = position;
                let marts = second.loader().expect("marts");
                if marts.status().failing.is_none() && marts.acknowledged() == log.end() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, filled_again).await.expect("filled again in time");
        every_mart_is_true(&second).await;
        second.shutdown().await;
    });
}

/// A port on which nobody listens.
fn nowhere() -> LoaderOptions {
    let mut loading =
        LoaderOptions::new(Connection::new("http://127.0.0.1:9", "a", SecretString::from("b")));
    loading.retry_pause_max = Duration::from_millis(50);
    loading
}

#[test]
fn without_clickhouse_views_go_on_and_checkpoints_hold_what_is_unsent() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(33, 4);
    let mut business = Business::new(33);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    runtime().block_on(async {
        let options = || {
            let mut options = options(folder.path());
            options.marts = Some(nowhere());
            options
        };
        for _ in 0..2 {
            let pipeline = Pipeline::start(options(), feeds(&log)).await.expect("started");
            (0..10).for_each(|_| log.append(business.next()));
            pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
            pipeline.checkpoint().await.expect("saved");
            (0..5).for_each(|_| log.append(business.next()));
            pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
            pipeline.shutdown().await;
        }
        let again = Pipeline::start(options(), feeds(&log)).await.expect("started");
        assert_eq!(again.published().expect("published").position, log.end());
        let unsent = again.loader().expect("marts").unsent();
        assert_eq!(unsent[0].first_position.0, 1);
        assert_eq!(unsent.last().expect("some").position, log.end());
        again.shutdown().await;

        // What is unsent is damaged: everything is filled again from the log.
        let files = std::fs::read_dir(folder.path().join("unsent")).expect("a folder");
        let file = files.map(|file| file.expect("a file").path()).min().expect("a file");
        let mut bytes = std::fs::read(&file).expect("bytes");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&file, bytes).expect("written");
        let mended = Pipeline::start(options(), feeds(&log)).await.expect("started");
        mended.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        let unsent = mended.loader().expect("marts").unsent();
        assert_eq!(unsent[0].first_position.0, 1);
        let audit = mended.audit().await.expect("views are compared without ClickHouse");
        assert!(audit.marts.is_err());
        assert!(audit.views.iter().all(|verified| verified.difference.is_none()), "{audit:?}");
        mended.shutdown().await;
    });
}

/// How many raw events the marts hold behind `after`.
async fn raw_events_after(pipeline: &PipelineHandle, after: Position) -> String {
    let loader = pipeline.loader().expect("marts are kept");
    let (clickhouse, database) = loader.clickhouse();
    let sql =
        format!("select count() from merge('{database}', '^raw_') where position > {}", after.0);
    let rows = clickhouse.select("count", &sql).await.expect("counted");
    array_value_to_string(rows[0].column(0), 0).expect("a number")
}

/// Transactions, the last twenty-five of which the database will lack; the position before those.
fn to_be_restored(seed: u64) -> (Arc<Log>, Position) {
    let log = Log::new(seed, 4);
    let mut business = Business::new(seed);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    (0..15).for_each(|_| log.append(business.next()));
    let kept = log.end();
    (0..25).for_each(|_| log.append(business.next()));
    (log, kept)
}

#[test]
fn what_a_restored_database_lacks_leaves_views_and_marts_while_they_run() {
    let runtime = runtime();
    let server = runtime.block_on(testing::clickhouse()).expect("ClickHouse");
    let folder = tempfile::tempdir().expect("a folder");
    let (log, kept) = to_be_restored(34);
    runtime.block_on(async {
        let started = Pipeline::start(with_marts(folder.path(), &server), feeds(&log)).await;
        let pipeline = started.expect("started");
        let end = Target::Position(log.end());
        let before = pipeline.wait_for(end, SOON).await.expect("applied");
        assert_eq!((before.incarnation, before.dead_lettered), (1, 0));
        let written = Target::Token(Token(log.frontier()));
        pipeline.wait_for(written, SOON).await.expect("applied");

        // Readers keep the rows they had, but no token is answered with them.
        log.restore(25);
        let deadline = Instant::now() + SOON;
        while pipeline.published().expect("published").frontier.is_some() {
            assert!(Instant::now() < deadline, "the pipeline did not hear of it");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let waited = pipeline.wait_for(written, Duration::from_millis(100)).await;
        assert!(matches!(waited, Err(Error::FrontierTimeout { .. })), "{waited:?}");
        assert_eq!(pipeline.published().expect("published").applied, before.applied);

        log.release();
        let after = pipeline.wait_for(written, SOON).await.expect("applied");
        assert_eq!((after.incarnation, after.position), (2, log.end()));
        assert_eq!((after.applied, after.dead_lettered), (kept.0, log.end().0 - kept.0));
        every_live_view_is_true(&pipeline).await;
        every_mart_is_true(&pipeline).await;
        assert_eq!(raw_events_after(&pipeline, kept).await, "0");
        pipeline.shutdown().await;
    });
}

/// Stops a pipeline, restores the database, does something to the folder and starts another: views and
/// marts are then without what the database lacks.
fn assert_another_life(seed: u64, interrupted: impl FnOnce(&Path), is_fresh: bool) {
    let runtime = runtime();
    let server = runtime.block_on(testing::clickhouse()).expect("ClickHouse");
    let folder = tempfile::tempdir().expect("a folder");
    let (log, kept) = to_be_restored(seed);
    runtime.block_on(async {
        let options = || with_marts(folder.path(), &server);
        let first = Pipeline::start(options(), feeds(&log)).await.expect("started");
        first.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        every_mart_is_true(&first).await;
        assert_ne!(raw_events_after(&first, kept).await, "0");
        first.shutdown().await;
        log.restore(25);
        interrupted(folder.path());
        let second = Pipeline::start(options(), feeds(&log)).await.expect("started");
        let shown = second.published().expect("published").position;
        assert_eq!(shown == Position::START, is_fresh, "{shown}");
        log.release();
        let again = Target::Token(Token(log.frontier()));
        second.wait_for(again, SOON).await.expect("applied");
        every_live_view_is_true(&second).await;
        every_mart_is_true(&second).await;
        assert_eq!(raw_events_after(&second, kept).await, "0");
        second.shutdown().await;
    });
}

#[test]
fn what_a_restored_database_lacks_leaves_views_and_marts_at_the_next_start() {
    assert_another_life(35, |_| {}, false);
}

/// The views would begin anew anyway, and would never ask whether the marts have to.
#[test]
fn marts_of_another_life_are_not_gone_on_with() {
    let lost = |folder: &Path| {
        std::fs::remove_dir_all(folder.join("checkpoints")).expect("there were some");
    };
    assert_another_life(36, lost, true);
}

/// What was to be forgotten is not shown as if it were of the new life.
#[test]
fn starting_over_goes_on_where_it_was_interrupted() {
    let interrupted = |folder: &Path| {
        let lineage = std::fs::read_to_string(folder.join("lineage")).expect("a lineage");
        std::fs::write(folder.join("lineage"), format!("{lineage}.2")).expect("written");
    };
    assert_another_life(37, interrupted, true);
}
