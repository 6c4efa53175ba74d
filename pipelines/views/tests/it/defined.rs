//! Views that people define while events come: over rows that have passed, through crashes, in and out again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use chrono::Utc;
use millrace_events::Position;
use millrace_views::{
    DefinitionState, DefinitionStatus, Error, Intent, Pipeline, PipelineHandle, PipelineOptions,
    StreamPlace, Target, Update,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::events::{Business, Recorded};
use crate::log::Log;
use crate::pipeline::{SOON, every_live_view_is_true, feeds, options, runtime};

/// Over events, some of which the product's views unnest as well.
const UNITS: &str = "-- key: shop_id, product_id
select shop_id, product_id, sum(quantity) as units, count(distinct invoice_id) as invoices
from stg_sales__invoice_lines
group by shop_id, product_id";
/// On top of that, with the newest name of each product.
const NAMED: &str = "-- title: Units with names
-- key: shop_id, product_id
select u.shop_id, u.product_id, u.units, p.name
from live_units as u
left join (select product_id, name from product_updated
           qualify row_number() over (partition by product_id order by position desc) = 1) as p
on p.product_id = u.product_id";
/// Until somebody defines a view by three letters.
const FRAGILE: &str = "-- key: name
select name, sum(1 / (length(text) - 3)) as n from view_defined group by name";
/// Over rows that are kept.
const BEST: &str = "-- key: shop_id
select shop_id, max(revenue) as revenue from live_sales_by_shop_day group by shop_id";

fn said(table: &str, payload: serde_json::Value) -> Vec<Recorded> {
    vec![Recorded { table: table.to_owned(), payload: payload.to_string(), at: Utc::now() }]
}

fn define(log: &Log, name: &str, text: &str) {
    let payload = serde_json::json!({"name": name, "text": text, "defined_by": "u1"});
    log.append(said("view_defined", payload));
}

fn drop_view(log: &Log, name: &str) {
    log.append(said("view_dropped", serde_json::json!({"name": name, "dropped_by": "u1"})));
}

/// A log with masters and `count` transactions.
fn busy_log(seed: u64, count: usize) -> (Arc<Log>, Business) {
    let log = Log::new(seed, 5);
    let mut business = Business::new(seed);
    business.masters().into_iter().for_each(|transaction| log.append(transaction));
    (0..count).for_each(|_| log.append(business.next()));
    (log, business)
}

/// With a view that is filled from the log waited for only once it is near.
fn near(folder: &Path, events: u64) -> PipelineOptions {
    PipelineOptions { fill_near_events: events, ..options(folder) }
}

/// The definition once `is_so`.
async fn until(
    pipeline: &PipelineHandle,
    name: &str,
    is_so: impl Fn(&DefinitionStatus) -> bool,
) -> DefinitionStatus {
    let deadline = Instant::now() + SOON;
    loop {
        let now = pipeline.definition(name);
        match now {
            Ok(status) if is_so(&status) => return status,
            other => assert!(Instant::now() < deadline, "{name} is still {other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn until_live(pipeline: &PipelineHandle, name: &str) -> DefinitionStatus {
    until(pipeline, name, |status| status.state == DefinitionState::Live).await
}

async fn applied(pipeline: &PipelineHandle, log: &Log) {
    pipeline.wait_for(Target::Position(log.end()), SOON).await.expect("applied");
}

fn rows(pipeline: &PipelineHandle, name: &str) -> usize {
    let snapshot = pipeline.snapshot(name).expect("a live view");
    snapshot.snapshot.batches().expect("rows").iter().map(RecordBatch::num_rows).sum()
}

#[test]
fn views_over_events_that_have_passed_fill_while_more_come() {
    // Far: the view is read from the log most of the way. Near: what comes is kept for it from the start.
    for (seed, events) in [(41, 3), (42, 1_000_000)] {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, mut business) = busy_log(seed, 150);
        runtime().block_on(async {
            let options = near(folder.path(), events);
            let pipeline = Pipeline::start(options, feeds(&log)).await.expect("started");
            applied(&pipeline, &log).await;
            for (name, text) in [("live_units", UNITS), ("live_named", NAMED), ("best", BEST)] {
                define(&log, name, text);
                log.append(business.next());
            }
            let deadline = Instant::now() + SOON;
            let is_live = |name: &str| pipeline.view(name).is_ok();
            while !["live_units", "live_named", "best"].into_iter().all(is_live) {
                assert!(Instant::now() < deadline, "{:?}", pipeline.definitions());
                log.append(business.next());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (0..30).for_each(|_| log.append(business.next()));
            applied(&pipeline, &log).await;
            every_live_view_is_true(&pipeline).await;
            assert!(rows(&pipeline, "live_units") > 12 && rows(&pipeline, "best") == 2);
            let named = pipeline.view("live_named").expect("a view");
            assert_eq!((&*named.title, named.is_defined()), ("Units with names", true));
            pipeline.shutdown().await;
        });
    }
}

#[test]
fn a_replaced_view_stays_until_the_new_one_is_there_and_its_streams_begin_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, mut business) = busy_log(43, 60);
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        define(&log, "live_units", UNITS);
        define(&log, "top", "-- key: shop_id\nselect shop_id, max(units) as units from live_units group by shop_id");
        until_live(&pipeline, "top").await;
        let mut stream = pipeline.subscribe("top", None).expect("a live view");
        assert!(matches!(stream.next().await, Ok(Update::Snapshot(_))));
        let told = pipeline.snapshot("top").expect("a live view").position;

        // More columns, of which the reader needs one.
        let more = "-- key: shop_id, product_id\nselect shop_id, product_id, sum(quantity) * 2 as units, \
                    min(unit_price) as least from stg_sales__invoice_lines group by shop_id, product_id";
        define(&log, "live_units", more);
        (0..10).for_each(|_| log.append(business.next()));
        until(&pipeline, "live_units", |s| s.text == more && s.state == DefinitionState::Live).await;
        applied(&pipeline, &log).await;
        let columns = pipeline.view("live_units").expect("a view").schema.fields().len();
        assert_eq!(columns, 4);
        every_live_view_is_true(&pipeline).await;
        let ended = loop {
            match stream.next().await {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(ended, Error::ViewChanged { .. }), "{ended}");
        let place = StreamPlace { position: told, incarnation: 1 };
        let mut again = pipeline.subscribe("top", Some(place)).expect("a live view");
        assert!(matches!(again.next().await, Ok(Update::Reset { .. })));
        assert!(matches!(again.next().await, Ok(Update::Snapshot(_))));

        // One that is kept, by one of other columns.
        define(&log, "top", BEST);
        until(&pipeline, "top", |s| s.text == BEST && s.state == DefinitionState::Live).await;
        log.append(business.next());
        applied(&pipeline, &log).await;
        every_live_view_is_true(&pipeline).await;
        pipeline.shutdown().await;
    });
}

#[test]
fn what_is_wrong_is_refused_with_its_place_and_what_is_read_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, _) = busy_log(44, 5);
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        define(&log, "live_units", UNITS);
        define(&log, "live_named", NAMED);
        until_live(&pipeline, "live_named").await;
        let check = async |name: &str, text: &str, intent| {
            let refused = pipeline.check(name, text, intent).await;
            refused.expect_err("it is refused").to_string()
        };
        for (name, text, says) in [
            ("a", "-- key: none\n\nselect shop_id,\n  shopid from shop_opened", "line 4, column 3"),
            ("a", "-- key: none\nselect shop_id fro shop_opened x", "line 2, column"),
            ("a", "-- key: none\nselect * from nowhere", "nowhere"),
            ("a", "select 1 as one", "lacks `-- key"),
            ("a", "-- key: one\nselect 1 as one; select 2 as two", "exactly one select"),
            ("a", "-- key: two\nselect 1 as one", "names column two"),
            ("a", "-- key: one\n-- mart: current\nselect 1 as one", "leave `mart` out"),
            ("a", "-- key: one\nselect one from a", "circle"),
            ("a", "-- key: r\nselect random() as r from shop_opened", "random"),
            ("a", "-- key: n\nwith recursive t as (select 1 as n union all select n + 1 from t where n < 9) select n from t", "not supported"),
            ("A b", UNITS, "lower case"),
            ("invoice_issued", UNITS, "an event has that name"),
            ("live_stock_on_hand", UNITS, "comes with Millrace"),
            ("live_units", UNITS, "already"),
        ] {
            let refused = check(name, text, Intent::Create).await;
            assert!(refused.contains(says), "{text}: {refused}");
        }
        let unknown = check("nothing", UNITS, Intent::Replace).await;
        assert!(unknown.contains("no view is called nothing"), "{unknown}");
        let other = "-- key: shop_id\nselect shop_id, count(*) as n from invoice_issued group by shop_id";
        let reader = check("live_units", other, Intent::Replace).await;
        assert!(reader.contains("view live_named reads live_units"), "{reader}");
        let sound = pipeline.check("b", UNITS, Intent::Create).await.expect("sound");
        assert_eq!((&*sound.name, sound.schema.fields().len()), ("b", 4));
        let read = pipeline.check_drop("live_units").expect_err("it is read").to_string();
        assert!(read.contains("read by live_named"), "{read}");
        assert!(matches!(pipeline.check_drop("live_stock_on_hand"), Err(Error::ProductView { .. })));
        assert!(matches!(pipeline.check_drop("b"), Err(Error::UnknownView { .. })));

        // Events that say what would have been refused change nothing.
        drop_view(&log, "live_units");
        drop_view(&log, "nothing");
        define(&log, "live_units", other);
        let failed = until(&pipeline, "live_units", |s| matches!(s.state, DefinitionState::Failed { .. })).await;
        assert!(failed.is_served);
        every_live_view_is_true(&pipeline).await;
        // A view that could not come at all can be put right.
        define(&log, "broken", "-- key: shop_id\nselect shop_id, sum(1 / (line_count - line_count)) as n from \
            (select shop_id, cardinality(lines) as line_count from invoice_issued) group by shop_id");
        let failed = until(&pipeline, "broken", |s| matches!(s.state, DefinitionState::Failed { .. })).await;
        assert!(format!("{failed:?}").contains("ivide by zero"), "{failed:?}");
        let missing = pipeline.snapshot("broken").expect_err("there is nothing").to_string();
        assert!(missing.contains("ivide by zero"), "{missing}");
        define(&log, "broken", BEST);
        until_live(&pipeline, "broken").await;

        drop_view(&log, "live_named");
        drop_view(&log, "live_units");
        applied(&pipeline, &log).await;
        for name in ["live_named", "live_units"] {
            assert!(matches!(pipeline.snapshot(name), Err(Error::UnknownView { .. })), "{name}");
        }
        every_live_view_is_true(&pipeline).await;
        pipeline.shutdown().await;
    });
}

#[test]
fn a_restart_finds_the_views_as_they_were() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, mut business) = busy_log(45, 40);
    runtime().block_on(async {
        let first = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        define(&log, "live_units", UNITS);
        define(&log, "best", BEST);
        until_live(&first, "best").await;
        applied(&first, &log).await;
        let before = rows(&first, "live_units");
        first.shutdown().await;
        let second = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        assert_eq!(rows(&second, "live_units"), before, "it is there at once");
        assert_eq!(rows(&second, "best"), 2);
        log.append(business.next());
        applied(&second, &log).await;
        every_live_view_is_true(&second).await;
        second.shutdown().await;
        // Without the folder the log tells of them again.
        std::fs::remove_dir_all(folder.path()).expect("removed");
        let third = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        until_live(&third, "live_units").await;
        until_live(&third, "best").await;
        applied(&third, &log).await;
        every_live_view_is_true(&third).await;
        third.shutdown().await;
    });
}

#[test]
fn views_are_true_after_crashes_at_random_moments_of_being_filled_replaced_and_dropped() {
    for seed in [51, 52, 53] {
        let folder = tempfile::tempdir().expect("a folder");
        let (log, mut business) = busy_log(seed, 80);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let texts = [UNITS, BEST, &UNITS.replace("sum(quantity)", "max(quantity)")];
        for _ in 0..8 {
            let runtime = runtime();
            runtime.block_on(async {
                let mut options = near(folder.path(), rng.random_range(0..200));
                options.checkpoint_events = rng.random_range(5..60);
                let pipeline = Pipeline::start(options, feeds(&log)).await.expect("started");
                for _ in 0..rng.random_range(1..4) {
                    let name = ["one", "two"][rng.random_range(0..2)];
                    match rng.random_range(0..4) {
                        0 => drop_view(&log, name),
                        text => define(&log, name, texts[text - 1]),
                    }
                    (0..5).for_each(|_| log.append(business.next()));
                }
                let wanted = Position(log.end().0.saturating_sub(rng.random_range(0..20)));
                pipeline.wait_for(Target::Position(wanted), SOON).await.expect("applied");
                tokio::time::sleep(Duration::from_millis(rng.random_range(0..60))).await;
            });
            runtime.shutdown_background();
        }
        runtime().block_on(async {
            let started = Pipeline::start(options(folder.path()), feeds(&log)).await;
            let pipeline = started.expect("started");
            applied(&pipeline, &log).await;
            for DefinitionStatus { name, .. } in pipeline.definitions() {
                until_live(&pipeline, &name).await;
            }
            every_live_view_is_true(&pipeline).await;
            pipeline.shutdown().await;
        });
    }
}

#[test]
fn a_restored_database_takes_back_the_views_it_does_not_have() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, mut business) = busy_log(46, 30);
    runtime().block_on(async {
        let pipeline = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        define(&log, "kept", UNITS);
        (0..5).for_each(|_| log.append(business.next()));
        define(&log, "orphaned", UNITS);
        until_live(&pipeline, "kept").await;
        until_live(&pipeline, "orphaned").await;
        log.restore(1);
        log.release();
        (0..5).for_each(|_| log.append(business.next()));
        let deadline = Instant::now() + SOON;
        while pipeline.published().expect("published").incarnation == 1 {
            assert!(Instant::now() < deadline, "the views do not start over");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        applied(&pipeline, &log).await;
        until_live(&pipeline, "kept").await;
        assert!(matches!(pipeline.definition("orphaned"), Err(Error::UnknownView { .. })));
        every_live_view_is_true(&pipeline).await;
        pipeline.shutdown().await;
    });
}

#[test]
fn a_view_that_stops_on_data_stops_alone_and_can_be_put_right_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, mut business) = busy_log(47, 20);
    runtime().block_on(async {
        let is_failed =
            |status: &DefinitionStatus| matches!(status.state, DefinitionState::Failed { .. });
        let first = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        define(&log, "fragile", FRAGILE);
        until_live(&first, "fragile").await;
        assert_eq!(rows(&first, "fragile"), 1);
        let mut stream = first.subscribe("fragile", None).expect("a live view");
        assert!(matches!(stream.next().await, Ok(Update::Snapshot(_))));
        define(&log, "other", "abc");
        log.append(business.next());
        applied(&first, &log).await;
        let stopped = until(&first, "fragile", is_failed).await;
        assert!(
            !stopped.is_served && format!("{stopped:?}").contains("ivide by zero"),
            "{stopped:?}"
        );
        assert!(matches!(first.snapshot("fragile"), Err(Error::ViewStopped { .. })));
        assert!(matches!(stream.next().await, Err(Error::ViewStopped { .. })));
        first.shutdown().await;
        let second = Pipeline::start(options(folder.path()), feeds(&log)).await.expect("started");
        assert!(until(&second, "fragile", is_failed).await == stopped);
        let audit = second.audit().await.expect("an audit");
        assert!(audit.views.iter().all(|view| view.difference.is_none()), "{audit:?}");
        define(&log, "fragile", BEST);
        until_live(&second, "fragile").await;
        applied(&second, &log).await;
        every_live_view_is_true(&second).await;
        assert!(second.status().stopped_views.is_empty());
        second.shutdown().await;
    });
}
