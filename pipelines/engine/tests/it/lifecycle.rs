//! Views that come, change and go while epochs go on.

use std::collections::BTreeMap;

use millrace_engine::{Engine, EngineConfig, EpochChanges, Error, ViewDefinition};

use crate::fixture::{
    Rows, add_changes, batch_rows, batch_session, engine_of, epoch, rows_of, view,
};
use crate::world::{World, relations};

const STOCK: &str = "select product, sum(quantity) as on_hand from kept_moves group by product";

/// An engine, the world it sees, and what its sinks hold.
struct Shop {
    world: World,
    engine: Engine,
    sinks: BTreeMap<String, Rows>,
    number: u64,
}

impl Shop {
    fn new(seed: u64, config: EngineConfig, views: &[ViewDefinition]) -> Self {
        let mut all = vec![view("kept_moves", "", "select * from moves")];
        all.extend_from_slice(views);
        let engine = engine_of(config, relations(), all);
        Self { world: World::new(seed), engine, sinks: BTreeMap::new(), number: 0 }
    }

    fn step(&mut self, rows_max: usize) -> EpochChanges {
        self.number += 1;
        let inputs = self.world.churn(rows_max);
        let changes = self.engine.step(epoch(self.number, inputs));
        let changes = changes.expect("the epoch is in order");
        for name in &changes.filled {
            self.sinks.remove(name);
        }
        add_changes(&mut self.sinks, &changes);
        changes
    }

    /// Requires what a sink and the snapshot hold of a view to be what batch SQL answers.
    async fn assert_true(&self, name: &str, sql: &str) {
        let context = batch_session(&self.world.tables).await;
        let sql = sql.replace("kept_moves", "moves");
        let expected = rows_of(&batch_rows(&context, &sql).await);
        let sink = self.sinks.get(name).cloned().unwrap_or_default();
        assert_eq!(sink, expected, "sink of {name}, epoch {}", self.number);
        let snapshot = self.engine.snapshot(name).and_then(|snapshot| snapshot.batches());
        let snapshot = snapshot.expect("the view keeps rows");
        assert_eq!(rows_of(&snapshot), expected, "snapshot of {name}, epoch {}", self.number);
    }
}

#[tokio::test]
async fn a_late_view_fills_in_pieces_while_its_inputs_change() {
    for workers in 1..3 {
        let config = EngineConfig { workers, fill_rows_max: 5, ..EngineConfig::default() };
        let mut shop = Shop::new(700, config, &[]);
        for _ in 0..10 {
            shop.step(80);
        }
        shop.engine.create_view(view("stock", "product", STOCK)).unwrap();
        let mut epochs = 0;
        while !shop.step(4).filled.contains(&"stock".to_owned()) {
            epochs += 1;
            let error = shop.engine.snapshot("stock").unwrap_err();
            assert!(matches!(error, Error::Filling { .. }), "{error}");
            assert!(epochs < 500, "the view never catches up");
        }
        assert!(epochs > 1, "everything was taken in at once");
        shop.assert_true("stock", STOCK).await;
        shop.step(30);
        shop.assert_true("stock", STOCK).await;
    }
}

#[test]
fn a_view_that_is_read_stays() {
    let mut shop = Shop::new(
        701,
        EngineConfig::default(),
        &[
            view("stock", "product", STOCK),
            view("low", "product", "select product from stock where on_hand < 2"),
        ],
    );
    shop.step(50);
    let error = shop.engine.drop_view("stock").unwrap_err();
    assert_eq!(error.to_string(), "view stock is read by low: drop those first");
    shop.engine.drop_view("low").unwrap();
    shop.engine.drop_view("stock").unwrap();
    assert!(matches!(shop.engine.drop_view("stock"), Err(Error::UnknownView { .. })));
    let changes = shop.step(50);
    assert!(changes.changes.iter().all(|(name, _)| name == "kept_moves"), "{changes:?}");
    // The name is free again.
    shop.engine.create_view(view("stock", "product", STOCK)).unwrap();
}

#[tokio::test]
async fn what_others_share_outlives_a_dropped_view() {
    let more = "select product, on_hand + 1 as more from (select product, sum(quantity) as on_hand \
                from kept_moves group by product) s";
    let mut shop = Shop::new(
        702,
        EngineConfig { workers: 2, ..EngineConfig::default() },
        &[view("stock", "product", STOCK), view("more", "product", more)],
    );
    shop.step(60);
    shop.engine.drop_view("stock").unwrap();
    for _ in 0..5 {
        shop.step(60);
        shop.assert_true("more", more).await;
    }
}

#[tokio::test]
async fn a_replaced_view_and_its_readers_follow_at_once_by_their_difference() {
    for workers in 1..3 {
        let low = "select product from stock where on_hand < 2";
        let views = [view("stock", "product", STOCK), view("low", "product", low)];
        let config = EngineConfig { workers, fill_rows_max: 9, ..EngineConfig::default() };
        let mut shop = Shop::new(703, config, &views);
        for _ in 0..6 {
            shop.step(60);
        }
        let doubled =
            "select product, sum(quantity * 2) as on_hand from kept_moves group by product";
        shop.engine.replace_view(view("stock", "product", doubled)).unwrap();
        shop.assert_true("stock", STOCK).await;
        let busy = shop.engine.replace_view(view("stock", "product", STOCK)).unwrap_err();
        assert!(busy.is_retryable(), "{busy}");
        for _ in 0..200 {
            let changes = shop.step(3);
            // A sink is given the difference alone.
            assert!(changes.filled.is_empty(), "{:?}", changes.filled);
        }
        shop.assert_true("stock", doubled).await;
        shop.assert_true("low", &low.replace("stock", &format!("({doubled}) s"))).await;
    }
}

#[tokio::test]
async fn a_view_with_other_columns_is_given_anew() {
    let mut shop = Shop::new(704, EngineConfig::default(), &[view("stock", "product", STOCK)]);
    shop.step(60);
    let by_shop =
        "select product, shop, sum(quantity) as on_hand from kept_moves group by product, shop";
    shop.engine.replace_view(view("stock", "product,shop", by_shop)).unwrap();
    assert_eq!(shop.step(10).filled, ["stock"]);
    shop.assert_true("stock", by_shop).await;
}

#[tokio::test]
async fn a_definition_that_does_not_suit_its_readers_is_refused() {
    let low = "select product from stock where on_hand < 2";
    let views = [view("stock", "product", STOCK), view("low", "product", low)];
    let mut shop = Shop::new(705, EngineConfig::default(), &views);
    shop.step(60);
    let other = "select product, count(*) as n from kept_moves group by product";
    let error = shop.engine.replace_view(view("stock", "product", other)).unwrap_err().to_string();
    assert!(error.starts_with("view low reads stock"), "{error}");
    assert!(error.contains("on_hand"), "{error}");
    shop.step(60);
    shop.assert_true("stock", STOCK).await;
    shop.engine.create_view(view("low_too", "product", low)).unwrap();
    shop.step(60);
    assert_eq!(shop.sinks["low_too"], shop.sinks["low"]);
}

#[tokio::test]
async fn a_replacement_that_fails_on_data_is_given_up() {
    let mut shop = Shop::new(706, EngineConfig::default(), &[view("stock", "product", STOCK)]);
    for _ in 0..4 {
        shop.step(200);
    }
    let failing =
        "select product, sum(1 / (small - 1)) as on_hand from kept_moves group by product";
    shop.engine.replace_view(view("stock", "product", failing)).unwrap();
    let changes = shop.step(60);
    assert_eq!(changes.given_up.len(), 1, "{changes:?}");
    assert!(changes.given_up[0].reason.contains("ivide by zero"), "{:?}", changes.given_up);
    assert!(changes.stopped.is_empty());
    shop.step(60);
    shop.assert_true("stock", STOCK).await;
}

#[test]
fn only_what_changed_is_rebuilt() {
    let views =
        [view("stock", "product", STOCK), view("low", "product", "select product from stock")];
    let mut shop = Shop::new(707, EngineConfig::default(), &views);
    shop.step(60);
    let seen = |shop: &Shop| shop.engine.explain("stock").unwrap().root.rows_in;
    let before = seen(&shop);
    let low = view("low", "product", "select product from stock where on_hand < 3");
    shop.engine.replace_view(low).unwrap();
    shop.engine.step(epoch(2, Vec::new())).unwrap();
    assert_eq!(seen(&shop), before);
}

#[tokio::test]
async fn a_view_replaced_before_the_first_epoch_can_be_replaced_back() {
    let mut shop = Shop::new(708, EngineConfig::default(), &[view("stock", "product", STOCK)]);
    let doubled = "select product, sum(quantity * 2) as on_hand from kept_moves group by product";
    shop.engine.replace_view(view("stock", "product", doubled)).unwrap();
    shop.step(60);
    shop.assert_true("stock", doubled).await;
    shop.engine.replace_view(view("stock", "product", STOCK)).unwrap();
    shop.step(60);
    shop.assert_true("stock", STOCK).await;
}

#[tokio::test]
async fn what_a_full_join_held_fills_a_view_with_a_key() {
    let shops = "select coalesce(b.shop, h.shop) as shop, b.n, h.region \
                 from by_shop b full join shops h on h.shop = b.shop";
    let by_shop = "select shop, count(*) as n from kept_moves group by shop";
    for seed in 709..729 {
        let views = [view("by_shop", "shop", by_shop), view("late_shops", "shop", shops)];
        let config = EngineConfig { workers: 1 + seed as usize % 2, ..EngineConfig::default() };
        let mut shop = Shop::new(seed, config, &views);
        for _ in 0..4 {
            shop.step(20);
        }
        let named = format!("select * from ({shops}) v where shop is not null");
        shop.engine.replace_view(view("late_shops", "shop", &named)).unwrap();
        for _ in 0..3 {
            let changes = shop.step(20);
            assert_eq!((changes.stopped, changes.given_up), (vec![], vec![]), "seed {seed}");
        }
        shop.assert_true("late_shops", &named.replace("by_shop", &format!("({by_shop})"))).await;
    }
}
