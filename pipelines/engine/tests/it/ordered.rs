//! Limits and windows where rows are equal in the order asked for, and what they cost.

use std::collections::BTreeMap;

use millrace_engine::{Delta, Engine, OperatorReport, Relation, RelationKind};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::fixture::{Rows, add_changes, batch_rows, batch_session, engine, epoch, rows_of, view};
use crate::world::{World, batch, relations};

const TIED: &[(&str, &str)] = &[
    (
        "first_two",
        "select * from moves qualify row_number() over (partition by shop order by small) <= 2",
    ),
    (
        "numbered",
        "select * from (select product, shop, small, row_number() over (partition by shop order by small desc) as n from moves) where n between 2 and 3",
    ),
    ("any_three", "select product, quantity from moves limit 3"),
    ("all_but_three", "select product, small from moves order by small offset 3"),
    (
        "shifted",
        "select product, shop, lag(product) over (partition by shop order by small) as before from moves",
    ),
    (
        "running",
        "select product, sum(quantity) over (partition by shop order by small rows unbounded preceding) as n from moves",
    ),
];

fn moves(kind: RelationKind) -> Relation {
    Relation { kind, ..relations().remove(1) }
}

fn tied_engine(kind: RelationKind) -> Engine {
    let views = TIED.iter().map(|(name, sql)| view(name, "", sql)).collect();
    engine(vec![moves(kind)], views)
}

/// Moves that differ in their product and quantity and often share shop and size.
fn rows(count: usize) -> Vec<Value> {
    let row = |at: usize| json!({"product": format!("p{at}"), "shop": format!("shop{}", at % 3), "quantity": at, "small": at / 3 % 4});
    (0..count).map(row).collect()
}

fn feed(engine: &mut Engine, delta: Delta) -> BTreeMap<String, Rows> {
    let mut changes = BTreeMap::new();
    let inputs = vec![("moves".to_owned(), delta)];
    let step = engine.step(epoch(engine.epoch() + 1, inputs)).expect("the epoch follows");
    add_changes(&mut changes, &step);
    changes
}

fn views_of(engine: &Engine) -> BTreeMap<&'static str, Rows> {
    let rows = |view: &str| {
        let snapshot = engine.snapshot(view).expect("the views of these tests keep their rows");
        rows_of(&snapshot.batches().expect("a snapshot can be read"))
    };
    TIED.iter().map(|(name, _)| (*name, rows(name))).collect()
}

#[test]
fn ties_fall_the_same_way_in_whatever_order_rows_come() {
    let schema = moves(RelationKind::Append).schema;
    let mut expected = None;
    for (seed, kind) in (0..8).zip([RelationKind::Append, RelationKind::Changes].iter().cycle()) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut engine = tied_engine(kind.clone());
        let mut all = rows(40);
        all.shuffle(&mut random);
        while !all.is_empty() {
            let rest = all.split_off(random.random_range(1..=all.len()));
            feed(&mut engine, Delta::inserts(batch(&schema, &all)));
            if *kind == RelationKind::Changes && random.random_bool(0.5) {
                let passing = batch(&schema, &rows(60)[40..]);
                feed(&mut engine, Delta::inserts(passing.clone()));
                feed(&mut engine, Delta::deletes(passing));
            }
            all = rest;
        }
        let views = views_of(&engine);
        let count = |view: &str| views[view].values().sum::<i64>();
        assert_eq!(count("first_two"), 6);
        assert_eq!(count("any_three"), 3);
        assert_eq!(count("all_but_three"), 37);
        assert_eq!(count("shifted"), 40);
        assert_eq!(*expected.get_or_insert_with(|| views.clone()), views, "seed {seed}");
    }
}

#[test]
fn only_what_changes_is_given_out() {
    let schema = moves(RelationKind::Changes).schema;
    let mut engine = tied_engine(RelationKind::Changes);
    feed(&mut engine, Delta::inserts(batch(&schema, &rows(30))));
    let first = json!({"product": "new", "shop": "shop0", "quantity": 1, "small": -1});
    let first = batch(&schema, &[first]);
    let came = feed(&mut engine, Delta::inserts(first.clone()));
    // Two rows of the shop stand first: the new one takes the place of one of them.
    assert_eq!(came["first_two"].values().collect::<Vec<_>>().len(), 2);
    // The new row has nobody before it and is before one other.
    assert_eq!(came["shifted"].values().map(|count| count.abs()).sum::<i64>(), 3);
    assert_eq!(came["shifted"].get("new|shop0|NULL"), Some(&1));
    // The running sums of one shop change, all ten.
    assert_eq!(came["running"].values().map(|count| count.abs()).sum::<i64>(), 21);
    let went = feed(&mut engine, Delta::deletes(first));
    for (view, rows) in &came {
        let opposite: Rows = rows.iter().map(|(row, count)| (row.clone(), -count)).collect();
        assert_eq!(went[view], opposite, "{view}");
    }
}

fn find<'a>(report: &'a OperatorReport, class: &str) -> Option<&'a OperatorReport> {
    let found = || report.inputs.iter().find_map(|input| find(input, class));
    if report.class == class { Some(report) } else { found() }
}

#[test]
fn explain_says_how_and_rows_that_cannot_matter_are_not_kept() {
    for (kind, class, kept) in
        [(RelationKind::Append, "ordered, append-only", 6), (RelationKind::Changes, "ordered", 30)]
    {
        let schema = moves(kind.clone()).schema;
        let mut engine = tied_engine(kind);
        feed(&mut engine, Delta::inserts(batch(&schema, &rows(30))));
        let explain = engine.explain("first_two").unwrap();
        let top = find(&explain.root, class);
        assert_eq!(top.expect("a node of that class").state_rows, kept, "{explain}");
        assert!(!explain.to_string().contains("rank"), "{explain}");
        let class_of = |view: &str| engine.explain(view).unwrap().to_string();
        assert!(class_of("running").contains("[ordered]"), "{}", class_of("running"));
        assert!(class_of("shifted").contains("[ordered]"), "{}", class_of("shifted"));
        assert!(class_of("any_three").contains(&format!("[{class}]")), "{}", class_of("any_three"));
        for (view, _) in TIED {
            assert!(!class_of(view).contains("recompute"), "{}", class_of(view));
        }
    }
}

#[test]
fn rows_never_there_stop_the_view() {
    let schema = moves(RelationKind::Changes).schema;
    let mut engine = tied_engine(RelationKind::Changes);
    let inputs = vec![("moves".to_owned(), Delta::deletes(batch(&schema, &rows(1))))];
    let stopped = engine.step(epoch(1, inputs)).unwrap().stopped;
    assert_eq!(stopped.len(), TIED.len(), "{stopped:?}");
    assert!(stopped.iter().all(|view| view.reason.contains("not there")), "{stopped:?}");
}

/// Long groups, kept in many blocks, under churn.
#[tokio::test]
async fn long_groups_stay_in_order() {
    let mut world = World::new(700);
    let order = "order by quantity, cost, product, shop, small, ratio, day, is_return";
    let shifted = format!(
        "select product, lag(cost) over ({order}) as before, lead(cost, 3) over ({order}) as behind from moves"
    );
    let numbered = format!("select product, cost, row_number() over ({order}) as n from moves");
    let few = format!("select * from ({numbered}) where n between 290 and 300");
    let queries = [("shifted", shifted), ("numbered", numbered), ("few", few)];
    let views = queries.iter().map(|(name, sql)| view(name, "", sql)).collect();
    let mut engine = engine(vec![moves(RelationKind::Changes)], views);
    for number in 1..6 {
        let inputs = world.churn(3000).into_iter().filter(|(name, _)| name == "moves").collect();
        let changes = engine.step(epoch(number, inputs)).unwrap();
        assert_eq!(changes.stopped, []);
    }
    let context = batch_session(&world.tables).await;
    for (name, sql) in &queries {
        let rows = rows_of(&engine.snapshot(name).unwrap().batches().unwrap());
        assert!(rows.len() > 5, "{name}");
        assert_eq!(rows, rows_of(&batch_rows(&context, sql).await), "{name}");
    }
}
