//! What `explain` tells, and what views share.

use std::time::Duration;

use millrace_engine::{Engine, EngineConfig, WorkTime};

use crate::fixture::{engine, epoch, view};
use crate::world::{World, relations};

#[test]
fn operators_carry_class_rows_and_bytes() {
    let mut engine = engine(
        relations(),
        vec![view(
            "category_moves",
            "category",
            "select p.category, sum(m.quantity) as quantity, max(m.cost) as dearest from moves m \
             join products p on m.product = p.product where m.quantity <> 0 group by p.category",
        )],
    );
    let mut world = World::new(1);
    for number in 1..5 {
        engine.step(epoch(number, world.churn(60))).unwrap();
    }
    let explain = engine.explain("category_moves").unwrap();
    let text = explain.to_string();
    for expected in [
        "category_moves: ",
        "[ordered aggregate]",
        "[bilinear]",
        "[linear]",
        "[keyed relation]",
        "Filter",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
    assert!(explain.state_bytes() > explain.snapshot_bytes && explain.snapshot_bytes > 0);
    assert!(explain.root.rows_in > 0 && explain.root.rows_out > 0);
    assert_eq!(explain.root.time, None);
}

#[test]
fn equal_sub_plans_are_shared() {
    let sql =
        "select product, sum(quantity) as quantity from moves where quantity > 0 group by product";
    let engine = engine(
        relations(),
        vec![
            view("one", "product", sql),
            view("two", "product", sql),
            view(
                "three",
                "product",
                &format!("select product, quantity + 1 as more from ({sql}) t"),
            ),
            view("four", "product", &sql.replace("> 0", "> 1")),
        ],
    );
    let explain = |name: &str| engine.explain(name).unwrap().root;
    assert_eq!(explain("one").id, explain("two").id);
    assert_eq!(explain("one").shared_by, 3);
    assert_eq!(explain("three").inputs[0].id, explain("one").id);
    assert_ne!(explain("four").id, explain("one").id);
}

#[test]
fn a_stopwatch_gives_times() {
    // Each look at the watch is one millisecond later than the one before.
    static LOOKS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    fn watch() -> Duration {
        Duration::from_millis(LOOKS.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
    }
    let config = EngineConfig { stopwatch: Some(watch), ..EngineConfig::default() };
    let mut engine = Engine::new(config).unwrap();
    relations().into_iter().for_each(|relation| engine.create_relation(relation).unwrap());
    engine.create_view(view("counted", "", "select count(*) as n from moves")).unwrap();
    let mut world = World::new(2);
    let inputs = std::iter::repeat_with(|| world.churn(50))
        .find(|inputs| inputs.iter().any(|(name, _)| name == "moves"));
    engine.step(epoch(1, inputs.unwrap())).unwrap();
    let one = Duration::from_millis(1);
    let worked = WorkTime { total: one, worst: one, epochs: 1 };
    assert_eq!(engine.explain("counted").unwrap().root.time, Some(worked));
    // An epoch without moves is none of its own.
    engine.step(epoch(2, Vec::new())).unwrap();
    assert_eq!(engine.explain("counted").unwrap().root.time, Some(worked));
    let inputs = std::iter::repeat_with(|| world.churn(50))
        .find(|inputs| inputs.iter().any(|(name, _)| name == "moves"));
    engine.step(epoch(3, inputs.unwrap())).unwrap();
    let explain = engine.explain("counted").unwrap();
    let twice = WorkTime { total: 2 * one, worst: one, epochs: 2 };
    assert_eq!(explain.root.time, Some(twice));
    let text = explain.to_string();
    assert!(text.contains("time=2.0ms in 2 epochs, mean 1.0ms, worst 1.0ms"), "{text}");
    // The relation works too.
    assert_eq!(explain.time().map(|time| time.epochs), Some(2));
    assert!(text.lines().next().is_some_and(|line| line.contains(" in 2 epochs, ")), "{text}");
}

#[test]
fn what_a_filter_and_its_projection_share_is_computed_once() {
    let sql = "select product, name, name || '!' as loud from (select product, upper(shop) as name \
               from moves) m where name is not null and name <> 'SHOP1'";
    let engine = engine(relations(), vec![view("named", "", sql)]);
    let text = engine.explain("named").unwrap().to_string();
    assert_eq!(text.matches("upper(").count(), 1, "{text}");
}

#[test]
fn an_idle_view_does_no_work() {
    let mut engine = engine(
        relations(),
        vec![view("regions", "region", "select region, count(*) as n from shops group by region")],
    );
    let mut world = World::new(3);
    engine.step(epoch(1, world.churn(30))).unwrap();
    let before = engine.explain("regions").unwrap();
    let inputs = world.churn(30).into_iter().filter(|(name, _)| name != "shops").collect();
    let changes = engine.step(epoch(2, inputs)).unwrap();
    assert!(changes.changes.is_empty());
    assert_eq!(engine.explain("regions").unwrap(), before);
}
