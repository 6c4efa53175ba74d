//! The engine against batch SQL: after every epoch each view's changes so far and its snapshot equal what
//! DataFusion answers over the tables' rows, as multisets.

use std::collections::BTreeMap;

use millrace_engine::{Engine, EngineConfig, MemoryStore, ViewDefinition};

use crate::fixture::{
    Rows, add_changes, all_views, batch_rows, batch_session, engine_of, epoch, late_views,
    register, rows_of,
};
use crate::world::{World, relations};

struct Oracle {
    seed: u64,
    world: World,
    engine: Engine,
    views: Vec<ViewDefinition>,
    /// What the changes so far add up to.
    sums: BTreeMap<String, Rows>,
    number: u64,
    workers: usize,
}

impl Oracle {
    fn new(seed: u64, workers: usize) -> Self {
        let views = all_views();
        let engine = engine_of(with_workers(workers), relations(), views.clone());
        let (world, sums) = (World::new(seed), BTreeMap::new());
        Self { seed, world, engine, views, sums, number: 0, workers }
    }

    async fn step(&mut self, rows_max: usize) {
        self.number += 1;
        let inputs = self.world.churn(rows_max);
        let Self { seed, number, workers, .. } = self;
        let place = format!("seed {seed} epoch {number} workers {workers}");
        let changes = self.engine.step(epoch(self.number, inputs));
        let changes = changes.unwrap_or_else(|error| panic!("{error}, {place}"));
        assert_eq!(changes.stopped, [], "{place}");
        add_changes(&mut self.sums, &changes);
        self.compare().await;
    }

    async fn compare(&self) {
        let context = batch_session(&self.world.tables).await;
        for view in &self.views {
            let batches = batch_rows(&context, &view.sql).await;
            let expected = rows_of(&batches);
            let place = format!(
                "seed {} epoch {} workers {} view {}: {}",
                self.seed, self.number, self.workers, view.name, view.sql
            );
            let summed = self.sums.get(&view.name).cloned().unwrap_or_default();
            assert_eq!(summed, expected, "changes, {place}");
            if view.materialize {
                let snapshot = self.engine.snapshot(&view.name);
                let snapshot = snapshot.unwrap_or_else(|error| panic!("{error}, {place}"));
                let rows = snapshot.batches().unwrap_or_else(|error| panic!("{error}, {place}"));
                assert_eq!(rows_of(&rows), expected, "snapshot, {place}");
            }
            let schema = self.engine.view_schema(&view.name);
            let schema = schema.unwrap_or_else(|error| panic!("{error}, {place}"));
            let schema = batches.first().map_or(schema, |batch| batch.schema());
            register(&context, &view.name, schema, batches);
        }
    }

    /// Goes on with an engine restored from what it saves now, with the oracle's views and as many workers.
    fn restore(&mut self, store: &mut MemoryStore, workers: usize) {
        self.workers = workers;
        self.engine.checkpoint(store).expect("memory takes a checkpoint");
        let views = self.views.clone();
        let restored = Engine::restore(with_workers(workers), relations(), views, store);
        let (restored, cut) = restored.expect("memory gives it back");
        assert_eq!(cut.get("events-0"), Some(self.number * 10));
        self.engine = restored;
    }
}

fn with_workers(workers: usize) -> EngineConfig {
    EngineConfig { workers, ..EngineConfig::default() }
}

#[tokio::test]
async fn views_equal_batch_sql_after_every_epoch() {
    for seed in 0..6 {
        let mut oracle = Oracle::new(seed, 1 + seed as usize % 3);
        for _ in 0..12 {
            oracle.step(14).await;
        }
    }
}

#[tokio::test]
async fn views_equal_batch_sql_through_large_epochs() {
    let mut oracle = Oracle::new(100, 1);
    for _ in 0..4 {
        oracle.step(160).await;
    }
}

/// So many rows that the workers run side by side.
#[tokio::test]
async fn workers_share_an_epoch() {
    let mut oracle = Oracle::new(110, 2);
    for _ in 0..3 {
        oracle.step(1200).await;
    }
}

#[tokio::test]
async fn many_small_epochs_merge_and_rewrite_state() {
    let mut oracle = Oracle::new(200, 2);
    for _ in 0..120 {
        oracle.number += 1;
        let inputs = oracle.world.churn(4);
        let changes = oracle.engine.step(epoch(oracle.number, inputs)).unwrap();
        add_changes(&mut oracle.sums, &changes);
    }
    oracle.compare().await;
}

#[tokio::test]
async fn a_restored_engine_goes_on_exactly() {
    for seed in 300..304 {
        let mut oracle = Oracle::new(seed, 1);
        let mut store = MemoryStore::new();
        for _ in 0..12 {
            oracle.step(14).await;
            if oracle.world.draw(2) == 0 {
                oracle.engine.checkpoint(&mut store).unwrap();
            }
            if oracle.world.draw(3) == 0 {
                let workers = 1 + oracle.world.draw(3);
                oracle.restore(&mut store, workers);
                oracle.compare().await;
            }
        }
    }
}

#[tokio::test]
async fn views_that_come_late_fill_themselves_while_their_inputs_change() {
    for seed in 500..504 {
        let workers = 1 + seed as usize / 2 % 2;
        let mut oracle = Oracle::new(seed, workers);
        for _ in 0..4 {
            oracle.step(14).await;
        }
        oracle.views.extend(late_views());
        if seed % 2 == 0 {
            oracle.restore(&mut MemoryStore::new(), workers);
        } else {
            for view in late_views() {
                oracle.engine.create_view(view).unwrap_or_else(|error| panic!("{error}"));
            }
        }
        for _ in 0..8 {
            oracle.step(14).await;
        }
    }
}
