//! Trials: right views pass, and what can't pass is told as what it is.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use millrace_oracle::{End, Error, Outcome, Table, Trial, sorted};

fn sales(key: &[&str]) -> Table {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("shop", DataType::Utf8, true),
        Field::new("amount", DataType::Int64, true),
        Field::new("ratio", DataType::Float64, true),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..60)),
        Arc::new(
            (0..60)
                .map(|id| (id % 11 > 0).then(|| format!("shop{}", id % 4)))
                .collect::<StringArray>(),
        ),
        Arc::new((0..60).map(|id| (id % 7 > 0).then_some(id * 37 % 23)).collect::<Int64Array>()),
        Arc::new((0..60).map(|id| Some(f64::from(id) / 7.0)).collect::<Float64Array>()),
    ];
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a table");
    let key: Vec<String> = key.iter().map(|column| (*column).to_owned()).collect();
    Table::new("sales", schema, &[rows], &key).expect("a table")
}

fn shops() -> Table {
    let schema = Arc::new(Schema::new(vec![
        Field::new("shop", DataType::Utf8, false),
        Field::new("region", DataType::Utf8, true),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["shop0", "shop1", "shop2"])),
        Arc::new(StringArray::from(vec!["north", "south", "north"])),
    ];
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a table");
    Table::new("shops", schema, &[rows], &["shop".to_owned()]).expect("a table")
}

fn trial(tables: Vec<Table>, sql: &str, seed: u64) -> Trial {
    let (views, sql) = (Vec::new(), sql.to_owned());
    let name = "tried".to_owned();
    Trial { name, tables, views, sql, epochs: 6, churn: 0.7, seed, verify: true, strict: false }
}

async fn run(sql: &str, seed: u64) -> Outcome {
    let outcome = trial(vec![sales(&[]), shops()], sql, seed).run().await;
    outcome.unwrap_or_else(|error| panic!("{sql}, seed {seed}: {error}"))
}

#[tokio::test]
async fn views_that_are_right_pass_whatever_the_tables_are_fed_as() {
    let queries = [
        "select shop, sum(amount) as amount, count(*) as sales, avg(ratio) as ratio from sales group by shop",
        "select region, sum(ratio) as ratio from sales join shops on sales.shop = shops.shop group by region",
        "select distinct amount % 3 as rest from sales where ratio > 2",
        "select sales.id, shops.region from sales left join shops on sales.shop = shops.shop",
    ];
    for (at, sql) in queries.iter().enumerate() {
        for (key, churn) in [(&[][..], 0.0), (&[][..], 0.9), (&["id"][..], 0.0), (&["id"][..], 0.9)]
        {
            let seed = at as u64;
            let trial = Trial { churn, ..trial(vec![sales(key), shops()], sql, seed) };
            let outcome = trial.run().await.unwrap();
            assert!(matches!(outcome.end, End::Same), "{sql}, seed {seed}: {:?}", outcome.end);
            assert!(outcome.rows_fed >= 63 && outcome.rows_changed > 0, "{sql}");
            assert!(churn == 0.0 || outcome.rows_fed > 80, "{sql}: rows go on the way");
        }
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_rows_and_another_another_way_to_them() {
    let sql = "select shop, amount from sales where amount > 3 order by amount desc";
    let (first, again, other) = (run(sql, 1).await, run(sql, 1).await, run(sql, 2).await);
    let rows = |outcome: &Outcome| sorted(&outcome.schema, &outcome.rows, &outcome.order).unwrap();
    assert_eq!(first.rows_fed, again.rows_fed);
    assert_ne!(first.rows_fed, other.rows_fed);
    assert_eq!(rows(&first), rows(&again));
    assert_eq!(rows(&first), rows(&other));
    let batch = rows(&first);
    let amounts = batch.column(1).as_any().downcast_ref::<Int64Array>().unwrap();
    assert!(amounts.values().is_sorted_by(|first, second| first >= second));
    assert_eq!(amounts.value(0), 22);
}

#[tokio::test]
async fn a_view_may_read_other_views() {
    let below = "select shop, max(amount) as best from sales group by shop".to_owned();
    let above = "select region, best from shops join bests on bests.shop = shops.shop";
    let trial = Trial {
        views: vec![("bests".to_owned(), below)],
        ..trial(vec![sales(&["id"]), shops()], above, 4)
    };
    assert!(matches!(trial.run().await.unwrap().end, End::Same));
}

#[tokio::test]
async fn a_view_stops_where_batch_sql_fails() {
    let outcome = run("select id, 10 / (amount - 5) as share from sales", 5).await;
    let End::BothFailed { view, batch, .. } = outcome.end else { panic!("{:?}", outcome.end) };
    assert!(view.to_lowercase().contains("divide by zero"), "{view}");
    assert!(batch.to_lowercase().contains("divide by zero"), "{batch}");
    let sql = "select id, 10 / (amount - 5) as share from sales";
    let unverified = Trial { verify: false, ..trial(vec![sales(&[])], sql, 5) };
    assert!(matches!(unverified.run().await, Err(Error::Stopped { seed: 5, .. })));
}

#[tokio::test]
async fn what_is_computed_again_is_refused_where_that_is_asked_for() {
    let sql = "with recursive n as (select 1 as v union all select v + 1 from n, shops where v < 3) \
               select v from n";
    let lenient = trial(vec![shops()], sql, 7);
    let outcome = lenient.run().await.unwrap();
    assert_eq!(outcome.recomputed().len(), 1);
    let refused = Trial { strict: true, ..lenient }.run().await.unwrap_err().to_string();
    assert!(refused.starts_with("view tried, line 1, column 6: RecursiveQuery"), "{refused}");
}

#[tokio::test]
async fn bad_input_is_told_by_name() {
    let message = |error: Option<Error>| error.expect("it is refused").to_string();
    let run = async |tables, sql| message(trial(tables, sql, 6).run().await.err());
    let twice = run(vec![shops(), shops()], "select * from shops").await;
    assert!(twice.starts_with("the table shops is given twice"), "{twice}");
    let unknown = run(vec![shops()], "select * from shop").await;
    let expected = "view tried, line 1, column 15: no relation or view is called \"shop\"";
    assert!(
        unknown.starts_with(expected) && unknown.contains("did you mean \"shops\"?"),
        "{unknown}"
    );
    let several = run(vec![shops()], "select * from shops; select 1").await;
    let expected = "view tried, line 1, column 22: there is more than one statement";
    assert!(several.starts_with(expected), "{several}");
    let none = run(vec![shops()], "-- nothing").await;
    assert_eq!(none, "view tried: there is no statement; a view is one select");
    let column = run(vec![shops()], "select regio from shops").await;
    let expected = "view tried, line 1, column 8: there is no column \"regio\"";
    assert!(column.starts_with(expected), "{column}");
    let schema = sales(&[]).schema();
    let missing = Table::new("sales", Arc::clone(&schema), &[], &["no".to_owned()]);
    let missing = message(missing.err());
    assert!(missing.contains("no column no") && missing.contains("id, shop, amount"), "{missing}");
}
