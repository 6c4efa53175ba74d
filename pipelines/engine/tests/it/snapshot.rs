//! Snapshots as tables.

use std::sync::Arc;

use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use millrace_engine::Error;
use serde_json::json;

use crate::fixture::{engine, epoch, rows_of, view};
use crate::world::{batch, relations};

fn shops(rows: &[(&str, &str, i32)]) -> Vec<(String, millrace_engine::Delta)> {
    let rows: Vec<_> = rows
        .iter()
        .map(|(shop, region, size)| json!({"shop": shop, "region": region, "size": size}))
        .collect();
    vec![(
        "shops".to_owned(),
        millrace_engine::Delta::inserts(batch(&relations()[3].schema, &rows)),
    )]
}

#[tokio::test]
async fn a_snapshot_answers_sql_and_stays_as_it_was() {
    let sizes = view(
        "sizes",
        "region",
        "select region, sum(size) as size, count(*) as shops from shops group by region",
    );
    let mut engine = engine(relations(), vec![sizes]);
    engine
        .step(epoch(1, shops(&[("a", "north", 3), ("b", "south", 4), ("c", "north", 5)])))
        .unwrap();
    let first = engine.snapshot("sizes").unwrap();
    engine.step(epoch(2, shops(&[("a", "south", 3)]))).unwrap();
    let second = engine.snapshot("sizes").unwrap();
    assert_eq!((first.epoch(), second.epoch()), (1, 2));
    assert_eq!(second.position().get("events-0"), Some(20));
    let context = SessionContext::new();
    context.register_table("before", first.clone() as Arc<_>).unwrap();
    context.register_table("after", second as Arc<_>).unwrap();
    let sql = "select b.region, b.size as was, a.size as is_now, a.shops from before b \
               join after a on a.region = b.region order by b.region";
    let answer = context.sql(sql).await.unwrap().collect().await.unwrap();
    let expected = "\
+--------+-----+--------+-------+
| region | was | is_now | shops |
+--------+-----+--------+-------+
| north  | 8   | 5      | 1     |
| south  | 4   | 7      | 2     |
+--------+-----+--------+-------+";
    assert_eq!(pretty_format_batches(&answer).unwrap().to_string(), expected);
    assert_eq!(first.num_rows(), 2);
}

#[test]
fn unchanged_rows_are_shared_between_snapshots() {
    let mut engine =
        engine(relations(), vec![view("listed", "shop", "select shop, region from shops")]);
    let names: Vec<String> = (0..5_000).map(|at| format!("shop{at}")).collect();
    let rows: Vec<(&str, &str, i32)> =
        names.iter().map(|name| (name.as_str(), "north", 1)).collect();
    engine.step(epoch(1, shops(&rows))).unwrap();
    let before = engine.snapshot("listed").unwrap().batches().unwrap();
    engine.step(epoch(2, shops(&[("new", "south", 1)]))).unwrap();
    let after = engine.snapshot("listed").unwrap().batches().unwrap();
    assert_eq!(rows_of(&after).len(), 5_001);
    assert!(
        Arc::ptr_eq(before[0].column(0), after[0].column(0)),
        "the large run of rows was copied"
    );
}

#[test]
fn a_view_that_keeps_no_rows_has_no_snapshot_but_feeds_others() {
    let mut passing = view("passing", "shop", "select shop, size from shops");
    passing.materialize = false;
    let total = view("total", "", "select sum(size) as size from passing");
    let mut engine = engine(relations(), vec![passing, total]);
    let changes = engine.step(epoch(1, shops(&[("a", "north", 3), ("b", "south", 4)]))).unwrap();
    let names: Vec<&str> = changes.changes.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["passing", "total"]);
    assert!(matches!(engine.snapshot("passing"), Err(Error::NotMaterialized { .. })));
    assert_eq!(engine.explain("passing").unwrap().snapshot_bytes, 0);
}
