use millrace_events::Position;
use millrace_local::testing;
use millrace_olap::{Difference, Error, Loader, MartSpec, compare, held};

use crate::given::*;

async fn difference(
    server: &testing::ClickHouse,
    mart: &MartSpec,
    rows: arrow::array::RecordBatch,
) -> Difference {
    let held = held(&clickhouse(server), "millrace", mart).await.expect("held");
    compare(mart, &held, &[rows]).expect("compared")
}

async fn holds(server: &testing::ClickHouse, mart: &MartSpec, rows: arrow::array::RecordBatch) {
    let difference = difference(server, mart, rows).await;
    assert!(difference.is_none(), "{}: {difference:?}", mart.name);
}

async fn both_hold(server: &testing::ClickHouse, last: u64) {
    holds(server, &current(), state_at(last)).await;
    holds(server, &history(), rows(1..=last)).await;
}

#[tokio::test]
async fn marts_hold_what_was_sent_and_a_comparison_names_what_is_not() {
    let server = testing::clickhouse().await.expect("ClickHouse");
    let loader =
        Loader::start(options(&server), vec![current(), history()], start(&Noted::default(), 0));
    load(&loader, &[0, 3, 4, 9, 25]).await;
    both_hold(&server, 25).await;
    let difference = difference(&server, &history(), rows(2..=26)).await;
    assert_eq!(difference.missing.len(), 1);
    assert!(difference.missing[0].contains("position=26"), "{difference:?}");
    assert!(difference.surplus[0].contains("position=1 "), "{difference:?}");
    loader.shutdown().await;
}

/// The crash comes between the insert and the progress row: the same positions come again, cut
/// differently where nothing had been noted.
#[tokio::test]
async fn a_batch_that_arrived_without_its_progress_row_is_not_doubled() {
    let server = testing::clickhouse().await.expect("ClickHouse");
    let noted = Noted::default();
    let marts = || vec![current(), history()];
    let first = Loader::start(options(&server), marts(), start(&noted, 0));
    load(&first, &[0, 4, 10]).await;
    load(&first, &[10, 13, 14, 17]).await;
    first.shutdown().await;
    let client = clickhouse(&server);
    client.execute("forget", "truncate table millrace.mart_progress").await.expect("truncated");

    let ends: Vec<u64> = noted.0.lock().iter().map(|range| range.last.0).collect();
    let mut cuts: Vec<u64> = [0, 2, 30].into_iter().chain(ends).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let second = Loader::start(options(&server), marts(), start(&noted, 0));
    load(&second, &cuts).await;
    second.shutdown().await;
    both_hold(&server, 30).await;
}

#[tokio::test]
async fn what_a_mart_has_already_is_skipped() {
    let server = testing::clickhouse().await.expect("ClickHouse");
    let noted = Noted::default();
    let first = Loader::start(options(&server), vec![current(), history()], start(&noted, 0));
    load(&first, &[0, 8, 20]).await;
    first.shutdown().await;
    // The checkpoint was at 8.
    let second = Loader::start(options(&server), vec![current(), history()], start(&noted, 8));
    load(&second, &[8, 20, 21, 33]).await;
    second.shutdown().await;
    both_hold(&server, 33).await;
}

#[tokio::test]
async fn unsent_epochs_of_a_checkpoint_are_sent_first() {
    let server = testing::clickhouse().await.expect("ClickHouse");
    let noted = Noted::default();
    let first = Loader::start(options(&server), vec![current(), history()], start(&noted, 0));
    load(&first, &[0, 5]).await;
    first.shutdown().await;
    let mut begin = start(&noted, 12);
    begin.unsent = vec![epoch(6, 9), epoch(10, 12)];
    let second = Loader::start(options(&server), vec![current(), history()], begin);
    load(&second, &[12, 15]).await;
    second.shutdown().await;
    both_hold(&server, 15).await;
}

#[tokio::test]
async fn a_changed_view_replaces_its_mart_once_it_is_as_far() {
    let server = testing::clickhouse().await.expect("ClickHouse");
    let noted = Noted::default();
    let first = Loader::start(options(&server), vec![current(), history()], start(&noted, 0));
    load(&first, &[0, 8]).await;
    load(&first, &[8, 20]).await;
    first.shutdown().await;

    let second =
        Loader::start(options(&server), vec![current_changed(), history()], start(&noted, 0));
    load(&second, &[0, 8]).await;
    holds(&server, &current(), state_at(20)).await;
    load(&second, &[8, 20]).await;
    load(&second, &[20, 23]).await;
    second.shutdown().await;
    both_hold(&server, 23).await;
    let left = clickhouse(&server)
        .select(
            "list",
            "select name from system.tables where database = 'millrace' and name like '%next'",
        )
        .await
        .expect("listed");
    assert_eq!(left.iter().map(|rows| rows.num_rows()).sum::<usize>(), 0);
}

#[tokio::test]
async fn a_mart_that_lacks_events_stops_the_loader() {
    let server = testing::clickhouse().await.expect("ClickHouse");
    let loader = Loader::start(options(&server), vec![current()], start(&Noted::default(), 100));
    let error = loader.wait_for(Position(101), SOON).await.expect_err("it can't");
    assert!(
        matches!(error, Error::Behind { held: Position(0), from: Position(100), .. }),
        "{error}"
    );
}

#[tokio::test]
async fn a_batch_that_reached_some_marts_is_sent_again_as_it_was() {
    let server = testing::clickhouse().await.expect("ClickHouse");
    let noted = Noted::default();
    let loader = Loader::start(options(&server), vec![history(), current()], start(&noted, 0));
    loader.enqueue(epoch(1, 4)).await.expect("taken");
    loader.wait_for(Position(4), SOON).await.expect("loaded");
    let clickhouse = clickhouse(&server);
    let alter = |change: &str| format!("alter table millrace.live_k {change}");
    clickhouse.execute("close", &alter("add constraint closed check false")).await.expect("closed");
    loader.enqueue(epoch(5, 8)).await.expect("taken");
    let failing = async {
        while loader.status().failing.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(SOON, failing).await.expect("one mart refuses the batch");
    loader.enqueue(epoch(9, 12)).await.expect("taken");
    clickhouse.execute("open", &alter("drop constraint closed")).await.expect("open again");
    loader.wait_for(Position(12), SOON).await.expect("loaded");
    loader.shutdown().await;
    both_hold(&server, 12).await;
}

#[tokio::test]
async fn rows_count_once_while_clickhouse_is_killed() {
    let server = testing::clickhouse().await.expect("ClickHouse");
    let noted = Noted::default();
    let loader = Loader::start(options(&server), vec![current(), history()], start(&noted, 0));
    for round in 0..3 {
        let pid = server.pid().expect("it runs").to_string();
        for step in 0..10 {
            let first = round * 40 + step * 4 + 1;
            loader.enqueue(epoch(first, first + 3)).await.expect("taken");
            if step == 5 {
                let killed = std::process::Command::new("kill").args(["-9", &pid]).status();
                assert!(killed.expect("kill runs").success());
            }
        }
        loader.wait_for(Position(round * 40 + 40), SOON).await.expect("loaded");
    }
    loader.shutdown().await;
    both_hold(&server, 120).await;
}
