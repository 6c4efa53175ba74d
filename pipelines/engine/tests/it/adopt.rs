//! Views that come over rows that have passed, with the state of an engine that was fed them again.

use std::collections::BTreeMap;

use millrace_engine::{
    Cut, Delta, Engine, EngineConfig, Epoch, Error, MemoryStore, ViewDefinition,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fixture::{
    Rows, add_changes, all_views, batch_rows, batch_session, engine_of, epoch, late_views, rows_of,
    view,
};
use crate::world::{World, relations};

const BY_SHOP: &str = "select shop, sum(quantity) as quantity from moves group by shop";
const BUSY: &str = "select shop from by_shop where quantity > 10";

/// An engine, and all it was ever fed.
struct Live {
    world: World,
    engine: Engine,
    fed: Vec<Vec<(String, Delta)>>,
    sinks: BTreeMap<String, Rows>,
}

impl Live {
    fn new(seed: u64, config: EngineConfig, views: Vec<ViewDefinition>) -> Self {
        let engine = engine_of(config, relations(), views);
        Self { world: World::new(seed), engine, fed: Vec::new(), sinks: BTreeMap::new() }
    }

    fn step(&mut self, rows_max: usize) {
        let inputs = self.world.churn(rows_max);
        self.fed.push(inputs.clone());
        let changes = self.engine.step(epoch(self.fed.len() as u64, inputs)).expect("in order");
        assert!(changes.stopped.is_empty(), "{:?}", changes.stopped);
        add_changes(&mut self.sinks, &changes);
    }

    /// An engine with `views`, fed the same rows in other epochs, at the same cut and time.
    fn again(&self, seed: u64, config: EngineConfig, views: Vec<ViewDefinition>) -> Engine {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut engine = engine_of(config, relations(), views);
        let mut number = 0;
        let mut rest = &self.fed[..];
        while !rest.is_empty() {
            let (some, more) = rest.split_at(random.random_range(1..=rest.len()));
            number += 1;
            let inputs = some.iter().flatten().cloned().collect();
            let mut epoch = epoch(number, inputs);
            if more.is_empty() {
                epoch.cut = self.engine.cut().clone();
                epoch.now = self.engine.now().expect("there was an epoch");
            }
            engine.step(epoch).expect("in order");
            rest = more;
        }
        engine
    }

    async fn assert_true(&self, name: &str, sql: &str) {
        let context = batch_session(&self.world.tables).await;
        let expected = rows_of(&batch_rows(&context, sql).await);
        let snapshot = self.engine.snapshot(name).and_then(|snapshot| snapshot.batches());
        let found = rows_of(&snapshot.unwrap_or_else(|error| panic!("{name}: {error}")));
        assert_eq!(found, expected, "{name} after {} epochs", self.fed.len());
    }
}

/// The views that each view reads, itself last.
fn closure(all: &[ViewDefinition], view: &ViewDefinition) -> Vec<ViewDefinition> {
    let words = |sql: &str| -> Vec<String> {
        sql.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned).collect()
    };
    let mut wanted = words(&view.sql);
    wanted.push(view.name.clone());
    let mut found = Vec::new();
    let end = all.iter().position(|other| other.name == view.name).expect("one of them") + 1;
    for view in all[..end].iter().rev() {
        if wanted.contains(&view.name) {
            wanted.extend(words(&view.sql));
            found.insert(0, view.clone());
        }
    }
    found
}

/// A view goes on as it would have if it had been there from the start. What the start gives is what batch SQL
/// gives: see `oracle`.
#[test]
fn every_kind_of_view_goes_on_from_adopted_state() {
    for (workers, seed) in [(1, 800), (2, 801)] {
        let config = EngineConfig { workers, ..EngineConfig::default() };
        let mut live = Live::new(seed, config.clone(), Vec::new());
        (0..4).for_each(|_| live.step(60));
        let all: Vec<ViewDefinition> = all_views().into_iter().chain(late_views()).collect();
        let (mut exact, mut refused) = (Vec::new(), Vec::new());
        for (number, view) in all.iter().enumerate() {
            if closure(&all, view).iter().any(|read| refused.contains(&read.name)) {
                continue;
            }
            let filled = live.again(seed, config.clone(), closure(&all, view));
            match live.engine.adopt_view(view.clone(), filled) {
                Ok(names) => {
                    assert_eq!(names, std::slice::from_ref(&view.name));
                    exact.push(view.clone());
                }
                // Sums of floats depend on the order of their rows: see the test at the end.
                Err(error) if error.to_string().contains("sum up decimals instead") => {
                    refused.push(view.name.clone());
                }
                Err(error) => panic!("{}: {error}", view.name),
            }
            if number % 20 == 19 {
                live.step(40);
            }
        }
        assert!(exact.len() > 100 && refused.len() < exact.len() / 10, "{refused:?}");
        (0..4).for_each(|_| live.step(40));
        let is_compared = |view: &&ViewDefinition| {
            let has_floats = closure(&all, view).iter().any(|view| view.sql.contains("ratio"));
            view.materialize && !has_floats
        };
        let always = live.again(seed + 10, config.clone(), exact.clone());
        for ViewDefinition { name, .. } in exact.iter().filter(is_compared) {
            let rows = |engine: &Engine| {
                rows_of(&engine.snapshot(name).expect("kept").batches().expect("rows"))
            };
            assert_eq!(rows(&live.engine), rows(&always), "{name}, seed {seed}");
        }
    }
}

#[tokio::test]
async fn adopted_views_are_saved_restored_and_dropped_like_any_other() {
    let mut live = Live::new(810, EngineConfig::default(), vec![view("by_shop", "shop", BY_SHOP)]);
    let mut store = MemoryStore::new();
    for _ in 0..5 {
        live.step(60);
    }
    live.engine.checkpoint(&mut store).expect("saved");
    let day = view("by_day", "day", "select day, count(*) as n from moves group by day");
    let refused = live.engine.create_view(day.clone()).unwrap_err();
    assert!(matches!(refused, Error::HistoryGone { .. }), "{refused}");
    let filled = live.again(1, EngineConfig::default(), vec![day.clone()]);
    live.engine.adopt_view(day.clone(), filled).expect("adopted");
    live.step(60);
    live.engine.checkpoint(&mut store).expect("saved");
    let views = vec![view("by_shop", "shop", BY_SHOP), day.clone()];
    let (engine, _) =
        Engine::restore(EngineConfig::default(), relations(), views, &store).expect("sound");
    live.engine = engine;
    live.step(60);
    live.assert_true("by_day", &day.sql).await;
    live.assert_true("by_shop", BY_SHOP).await;
    live.engine.drop_view("by_day").expect("nobody reads it");
    live.step(60);
    live.assert_true("by_shop", BY_SHOP).await;
}

#[tokio::test]
async fn a_replaced_view_and_its_readers_change_at_once() {
    let views = vec![view("by_shop", "shop", BY_SHOP), view("busy", "shop", BUSY)];
    let mut live = Live::new(820, EngineConfig::default(), views.clone());
    for _ in 0..5 {
        live.step(60);
    }
    let most = "select shop, max(quantity) as quantity from moves group by shop";
    let replaced = vec![view("by_shop", "shop", most), views[1].clone()];
    let filled = live.again(2, EngineConfig::default(), replaced.clone());
    let names = live.engine.adopt_view(replaced[0].clone(), filled).expect("adopted");
    assert_eq!(names, ["by_shop", "busy"]);
    for _ in 0..3 {
        live.assert_true("by_shop", most).await;
        live.assert_true("busy", &BUSY.replace("by_shop", &format!("({most}) b"))).await;
        live.step(60);
    }
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_changes_nothing() {
    let views = vec![view("by_shop", "shop", BY_SHOP), view("busy", "shop", BUSY)];
    let mut live = Live::new(830, EngineConfig::default(), views.clone());
    for _ in 0..3 {
        live.step(60);
    }
    let config = EngineConfig::default;
    let day = view("by_day", "day", "select day, count(*) as n from moves group by day");
    let behind = live.again(3, config(), vec![day.clone()]);
    live.step(10);
    let apart = live.engine.adopt_view(day.clone(), behind).unwrap_err();
    assert!(matches!(apart, Error::Apart { .. }), "{apart}");
    let mut late = live.again(3, config(), vec![day.clone()]);
    let (cut, now) = (live.engine.cut().clone(), live.engine.now().expect("an epoch"));
    let later = now + chrono::Duration::seconds(1);
    late.step(Epoch { number: 1000, cut, inputs: Vec::new(), now: later }).expect("in order");
    assert!(matches!(live.engine.adopt_view(day.clone(), late), Err(Error::Apart { .. })));
    let other = live.again(4, config(), Vec::new());
    let gone = live.engine.adopt_view(day.clone(), other).unwrap_err();
    assert!(matches!(gone, Error::HistoryGone { .. }), "{gone}");
    let workers = EngineConfig { workers: 2, ..config() };
    let many = live.again(4, workers, vec![day]);
    assert!(live.engine.adopt_view(views[0].clone(), many).is_err());
    // A reader that does not go with it, and a view that fails on data.
    let other = view("by_shop", "shop", "select shop, count(*) as n from moves group by shop");
    let filled = live.again(5, config(), vec![other.clone()]);
    let reader = live.engine.adopt_view(other, filled).unwrap_err();
    assert!(matches!(reader, Error::Reader { .. }), "{reader}");
    let failing = view("fails", "shop", "select shop, sum(1 / 0) as n from moves group by shop");
    let failing =
        ViewDefinition { sql: failing.sql.replace("1 / 0", "1 / (small - small)"), ..failing };
    let filled = live.again(6, config(), vec![failing.clone()]);
    let stopped = live.engine.adopt_view(failing, filled).unwrap_err();
    assert!(stopped.to_string().contains("ivide by zero"), "{stopped}");
    assert_eq!(live.engine.cut(), &Cut::from_iter([("events-0", live.fed.len() as u64 * 10)]));
    live.step(60);
    live.assert_true("by_shop", BY_SHOP).await;
    live.assert_true("busy", &BUSY.replace("by_shop", &format!("({BY_SHOP}) b"))).await;
}

#[tokio::test]
async fn floats_that_others_sum_up_are_refused() {
    let sums = "select shop, sum(ratio) as ratio from moves group by shop";
    let mut live = Live::new(840, EngineConfig::default(), vec![view("ratios", "shop", sums)]);
    live.step(60);
    let read = view("more", "shop", "select shop, ratio + 1 as more from ratios");
    let filled =
        live.again(7, EngineConfig::default(), vec![view("ratios", "shop", sums), read.clone()]);
    let refused = live.engine.adopt_view(read, filled).unwrap_err().to_string();
    assert!(refused.contains("sum up decimals instead"), "{refused}");
    // Floats of its own are its own business.
    let own = view("own", "day", "select day, sum(ratio) as ratio from moves group by day");
    let filled = live.again(8, EngineConfig::default(), vec![own.clone()]);
    live.engine.adopt_view(own, filled).expect("adopted");
    live.step(60);
}
