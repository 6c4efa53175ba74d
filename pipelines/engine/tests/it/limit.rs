//! A view that needs too much memory stops alone.

use arrow::array::RecordBatch;
use millrace_engine::{Delta, Engine, EngineConfig, MemoryStore, ViewDefinition};
use serde_json::{Value, json};

use crate::fixture::{engine_of, epoch, rows_of, view};
use crate::world::{batch, relations};

const LIMIT: usize = 2_000_000;

fn config() -> EngineConfig {
    EngineConfig { state_bytes_max: LIMIT, ..EngineConfig::default() }
}

fn views() -> Vec<ViewDefinition> {
    vec![
        view("by_shop", "shop", "select shop, count(*) as n from sales group by shop"),
        view("all_sales", "sale_id", "select * from sales"),
        view("dear_sales", "sale_id", "select sale_id, total from all_sales where total > 50"),
    ]
}

fn sales(from: usize, count: usize) -> RecordBatch {
    let schema = relations().into_iter().find(|relation| relation.name == "sales");
    let schema = schema.expect("the world has sales").schema;
    let row = |at: usize| json!({"sale_id": format!("sale-{at:08}"), "shop": format!("shop{}", at % 5), "total": format!("{}.00", at % 100)});
    let rows: Vec<Value> = (from..from + count).map(row).collect();
    batch(&schema, &rows)
}

/// What the views keep together. The sales that `dear_sales` reads are those of `all_sales`.
fn state_bytes(engine: &Engine) -> usize {
    let explain = |view: &str| engine.explain(view).expect("a view");
    explain("by_shop").state_bytes()
        + explain("all_sales").state_bytes()
        + explain("dear_sales").snapshot_bytes
}

#[test]
fn the_view_that_needs_most_stops_and_the_others_go_on() {
    let mut engine = engine_of(config(), relations(), views());
    let mut stopped = Vec::new();
    for number in 1..=40 {
        let inputs =
            vec![("sales".to_owned(), Delta::inserts(sales(number as usize * 1000, 1000)))];
        let changes = engine.step(epoch(number, inputs)).unwrap();
        stopped.extend(changes.stopped.into_iter().map(|stopped| (number, stopped)));
        assert!(state_bytes(&engine) <= LIMIT, "epoch {number}: {}", state_bytes(&engine));
    }
    let names: Vec<&str> = stopped.iter().map(|(_, stopped)| stopped.view.as_str()).collect();
    assert_eq!(names, ["dear_sales", "all_sales"], "the one that reads all sales needs as much");
    let (number, first) = &stopped[0];
    assert!(*number > 3, "it goes on while there is room");
    for part in ["2000000 allowed", "View: all_sales", "state_bytes_max"] {
        assert!(first.reason.contains(part), "{}", first.reason);
    }
    let by_shop = rows_of(&engine.snapshot("by_shop").unwrap().batches().unwrap());
    assert_eq!(by_shop.len(), 5);
    assert!(by_shop.contains_key("shop0|8000"), "{by_shop:?}");
    assert!(engine.snapshot("all_sales").unwrap_err().to_string().contains("allowed"));

    let mut store = MemoryStore::new();
    engine.checkpoint(&mut store).unwrap();
    let (mut restored, _) = Engine::restore(config(), relations(), views(), &store).unwrap();
    assert!(restored.snapshot("all_sales").unwrap_err().to_string().contains("allowed"));
    let inputs = vec![("sales".to_owned(), Delta::inserts(sales(100_000, 10)))];
    let changes = restored.step(epoch(41, inputs)).unwrap();
    assert_eq!(changes.stopped, []);
    assert_eq!(changes.changes.len(), 1);
}

#[test]
fn a_join_that_gives_too_much_at_once_stops_before_it_has() {
    let mut engine = engine_of(config(), relations(), views());
    let pairs = "select a.sale_id, b.sale_id as other from sales a join sales b on a.shop = b.shop";
    engine.create_view(view("pairs", "", &format!("select count(*) as n from ({pairs})"))).unwrap();
    let inputs = vec![("sales".to_owned(), Delta::inserts(sales(0, 3000)))];
    let changes = engine.step(epoch(1, inputs)).unwrap();
    let [stopped] = changes.stopped.as_slice() else { panic!("{:?}", changes.stopped) };
    assert_eq!(stopped.view, "pairs");
    assert!(stopped.reason.contains("bytes allowed in one epoch"), "{}", stopped.reason);
    assert_eq!(engine.snapshot("all_sales").unwrap().num_rows(), 3000);
}

#[test]
fn state_read_from_a_checkpoint_counts_as_much_as_before() {
    let mut engine = engine_of(EngineConfig::default(), relations(), views());
    let inputs = vec![("sales".to_owned(), Delta::inserts(sales(0, 20_000)))];
    engine.step(epoch(1, inputs)).unwrap();
    let mut store = MemoryStore::new();
    engine.checkpoint(&mut store).unwrap();
    let config = EngineConfig::default();
    let (restored, _) = Engine::restore(config, relations(), views(), &store).unwrap();
    let (before, after) = (state_bytes(&engine) as f64, state_bytes(&restored) as f64);
    assert!((0.8..1.2).contains(&(after / before)), "{before} bytes before, {after} after");
}
