//! Views over the current time change as time passes, with and without rows.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use millrace_engine::{Cut, Engine, EngineConfig, Epoch, MemoryStore, ViewDefinition};

use crate::fixture::{add_changes, batch_rows, batch_session, engine_of, rows_of, view};
use crate::queries::clock::{QUERIES, at};
use crate::world::{World, relations};

fn start() -> DateTime<Utc> {
    "2024-02-20T10:00:00Z".parse().expect("it is a time")
}

fn views() -> Vec<ViewDefinition> {
    QUERIES.iter().map(|(name, key, sql)| view(name, key, sql)).collect()
}

async fn assert_true(engine: &Engine, world: &World, now: DateTime<Utc>, place: &str) {
    let context = batch_session(&world.tables).await;
    for (name, _, sql) in QUERIES {
        let expected = rows_of(&batch_rows(&context, &at(sql, now)).await);
        let snapshot = engine.snapshot(name).and_then(|snapshot| snapshot.batches());
        let snapshot = snapshot.expect("the view keeps rows");
        assert_eq!(rows_of(&snapshot), expected, "{place} at {now}: {sql}");
    }
}

#[tokio::test]
async fn time_moves_views_with_and_without_rows() {
    for seed in 800..804 {
        let workers = 1 + seed as usize % 2;
        let config = EngineConfig { workers, ..EngineConfig::default() };
        let mut engine = engine_of(config.clone(), relations(), views());
        let mut world = World::new(seed);
        let mut sums = BTreeMap::new();
        let mut store = MemoryStore::new();
        let mut now = start();
        for number in 1..40 {
            let inputs = if world.draw(3) == 0 { Vec::new() } else { world.churn(12) };
            now += TimeDelta::hours(world.draw(30) as i64);
            let cut = Cut::new();
            let changes = engine.step(Epoch { number, cut, inputs, now }).unwrap();
            assert_eq!(changes.stopped, []);
            add_changes(&mut sums, &changes);
            assert_true(&engine, &world, now, &format!("seed {seed} epoch {number}")).await;
            if world.draw(8) == 0 {
                engine.checkpoint(&mut store).unwrap();
                let restored = Engine::restore(config.clone(), relations(), views(), &store);
                engine = restored.unwrap().0;
            }
        }
        for (name, ..) in QUERIES {
            let snapshot = engine.snapshot(name).unwrap().batches().unwrap();
            assert_eq!(sums.get(*name).cloned().unwrap_or_default(), rows_of(&snapshot), "{name}");
        }
    }
}

#[test]
fn time_costs_only_the_rows_that_it_passes() {
    let mut engine = engine_of(EngineConfig::default(), relations(), views());
    let step = |engine: &mut Engine, number, inputs, now| {
        engine.step(Epoch { number, cut: Cut::new(), inputs, now }).unwrap()
    };
    let mut world = World::new(810);
    let inputs = std::iter::repeat_with(|| world.churn(300)).take(5);
    for (number, inputs) in (1..).zip(inputs) {
        step(&mut engine, number, inputs, start());
    }
    let explain = engine.explain("recent").unwrap();
    assert!(explain.to_string().contains("[threshold]"), "{explain}");
    let kept = engine.snapshot("recent").unwrap().num_rows() as u64;
    let given = |engine: &Engine| engine.explain("recent").unwrap().root.rows_out;
    let before = given(&engine);
    // On the way the rows of February leave, those of January have left.
    let now = start() + TimeDelta::days(20);
    let changes = step(&mut engine, 6, Vec::new(), now);
    let left = given(&engine) - before;
    assert!(left > 0 && left < kept, "{left} of {kept}");
    assert!(changes.changes.iter().any(|(name, _)| name == "recent"), "{changes:?}");
}

#[test]
fn an_epoch_in_which_the_day_stays_changes_nothing() {
    let mut engine = engine_of(EngineConfig::default(), relations(), views());
    let epoch = |number, now| Epoch { number, cut: Cut::new(), inputs: Vec::new(), now };
    engine.step(epoch(1, start())).unwrap();
    let changes = engine.step(epoch(2, start() + TimeDelta::minutes(3))).unwrap();
    assert!(changes.changes.is_empty(), "{changes:?}");
    let changes = engine.step(epoch(3, start() + TimeDelta::days(1))).unwrap();
    assert_eq!(changes.changes.len(), 1, "{changes:?}");
    assert_eq!(changes.changes[0].0, "today");
}
