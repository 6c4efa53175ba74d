use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use millrace_events::{Lsn, Position, Token};
use millrace_views::{
    Error, OpenFeed, Pipeline, PipelineHandle, PipelineOptions, Registry, Serve, Target,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::runtime::Runtime;

use crate::events::Business;
use crate::log::{Feeds, Log};

pub const SOON: Duration = Duration::from_secs(60);

pub fn options(folder: &Path) -> PipelineOptions {
    let registry = Registry::load().expect("the views are sound");
    let mut options = PipelineOptions::new(registry, folder, Arc::new(Utc::now));
    options.checkpoint_interval = Duration::from_secs(3600);
    options
}

pub fn feeds(log: &Arc<Log>) -> Arc<dyn OpenFeed> {
    Arc::new(Feeds(Arc::clone(log)))
}

pub fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

pub async fn every_live_view_is_true(pipeline: &PipelineHandle) {
    let live = pipeline.views().into_iter().filter(|view| view.serve == Serve::Live);
    let audit = pipeline.audit().await.expect("an audit");
    assert_eq!(audit.views.len(), live.count());
    for verified in audit.views {
        assert!(verified.difference.is_none(), "{verified:?}");
    }
}

#[test]
fn live_views_equal_batch_sql_over_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(1, 5);
    let mut business = Business::new(1);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        for _ in 0..3 {
            (0..40).for_each(|_| log.append(business.next()));
            pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
            every_live_view_is_true(&pipeline).await;
        }
        let status = pipeline.status();
        assert_eq!(status.applied + status.dead_lettered, log.end().0);
        assert_eq!(status.lag_events, 0);
        let sales = pipeline.snapshot("live_sales_by_shop_day").expect("a live view");
        assert!(sales.snapshot.num_rows() > 0);
        assert_eq!(sales.position, log.end());
        pipeline.shutdown().await;
        assert!(matches!(pipeline.explain("dim_shop").await, Err(Error::Stopped { .. })));
    });
}

/// The runtime is dropped in mid-air: no final checkpoint, nothing flushed.
#[test]
fn after_crashes_at_random_moments_views_are_true_and_positions_only_grow() {
    for seed in [11, 12, 13] {
        let folder = tempfile::tempdir().expect("a folder");
        let log = Log::new(seed, 6);
        let mut business = Business::new(seed);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        business.masters().into_iter().for_each(|transaction| log.append(transaction));
        let mut restored_at_least = Position::START;
        for _ in 0..4 {
            let runtime = runtime();
            runtime.block_on(async {
                let mut options = options(folder.path());
                options.checkpoint_events = rng.random_range(5..40);
                let pipeline = Pipeline::start(options, feeds(&log)).await.expect("started");
                let restored = pipeline.published().expect("published").position;
                assert!(restored >= restored_at_least, "seed {seed}: {restored}");
                (0..30).for_each(|_| log.append(business.next()));
                let target = Position(rng.random_range(restored.0..=log.end().0));
                let seen = pipeline.wait_for(Target::Position(target), SOON).await;
                assert!(seen.expect("applied").position >= target);
                if let Some(checkpoint) = pipeline.status().checkpoint {
                    restored_at_least = restored_at_least.max(checkpoint.position);
                }
            });
            runtime.shutdown_background();
        }
        runtime().block_on(async {
            let started = Pipeline::start(options(folder.path()), feeds(&log)).await;
            let pipeline = started.expect("started");
            assert!(pipeline.published().expect("published").position >= restored_at_least);
            pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
            every_live_view_is_true(&pipeline).await;
            pipeline.shutdown().await;
        });
    }
}

#[test]
fn an_orderly_restart_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(2, 3);
    let mut business = Business::new(2);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    runtime().block_on(async {
        let first = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        first.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
        let before = first.published().expect("published");
        first.shutdown().await;
        let second = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        let after = second.published().expect("published");
        assert_eq!((after.position, after.as_of), (before.position, before.as_of));
        assert_eq!(after.frontier, None, "how far the log is complete is for the relay to tell");
        every_live_view_is_true(&second).await;
        second.shutdown().await;
    });
}

#[test]
fn a_changed_view_is_filled_from_the_start_of_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(3, 3);
    let mut business = Business::new(3);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    (0..20).for_each(|_| log.append(business.next()));
    let head = "-- title: T\n-- grain: g\n-- key: shop_id\n-- serve: live\n-- mart: none\n";
    let with = |sql: &str| {
        let mut options = options(folder.path());
        let events = options.registry.events().clone();
        let files = vec![("live/live_units.sql".to_owned(), format!("{head}{sql}"))];
        options.registry = Registry::of(files, events).expect("sound");
        options
    };
    let counted = "select shop_id, count(*) as n from invoice_issued group by shop_id";
    let summed = "select shop_id, sum(total) as n from invoice_issued group by shop_id";
    runtime().block_on(async {
        for sql in [counted, summed] {
            let pipeline = Pipeline::start(with(sql), feeds(&log)).await.expect("started");
            pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
            let verified = pipeline.audit().await.expect("an audit").views.remove(0);
            assert!(verified.rows > 0 && verified.difference.is_none(), "{verified:?}");
            pipeline.shutdown().await;
        }
    });
}

#[test]
fn a_read_waits_for_the_write_it_follows_and_not_forever() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(4, 3);
    let mut business = Business::new(4);
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        let waiting = pipeline.clone();
        let after_masters = Target::Token(Token(Lsn(100)));
        let read = tokio::spawn(async move { waiting.wait_for(after_masters, SOON).await });
        business.masters().into_iter().for_each(|transaction| log.append(transaction));
        let published = read.await.expect("joined").expect("reached");
        assert!(published.frontier.expect("a frontier").0 >= Lsn(100));
        let never = Target::Token(Token(Lsn(log.frontier().0 + 1)));
        let error = pipeline.wait_for(never, Duration::from_millis(50)).await;
        assert!(matches!(error, Err(Error::FrontierTimeout { .. })), "{error:?}");
        pipeline.shutdown().await;
        let stopped = pipeline.wait_for(never, SOON).await;
        assert!(matches!(stopped, Err(Error::Stopped { .. })), "{stopped:?}");
    });
}

#[test]
fn explain_names_operators_and_views_without_rows_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = Log::new(5, 3);
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        let explained = pipeline.explain("live_sales_by_shop_hour").await.expect("explained");
        assert!(explained.to_string().contains("additive"), "{explained}");
        let refused = pipeline.snapshot("fct_sales_lines").expect_err("no rows are kept");
        assert!(matches!(refused, Error::NotServed { .. }));
        let unknown = pipeline.snapshot("live_nothing").expect_err("no such view");
        assert!(matches!(unknown, Error::UnknownView { .. }));
        pipeline.shutdown().await;
    });
}
