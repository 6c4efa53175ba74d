//! Checkpoints on disk and in memory: whole, incremental, damaged, with views that come and go.

use std::collections::BTreeMap;

use arrow::array::Int64Array;
use millrace_engine::{
    CheckpointStore, Delta, DirStore, Engine, EngineConfig, Error, MemoryStore, Relation,
    RelationKind, Result,
};
use serde_json::{Value, json};

use crate::fixture::{add_changes, all_views, engine, engine_of, epoch, rows_of, view};
use crate::world::{World, batch, relations};

fn products() -> Relation {
    relations().remove(2)
}

fn product_rows(from: u64, to: u64, price: u64) -> Delta {
    let row = |at: u64| json!({"product": format!("p{at}"), "category": format!("c{}", at % 7), "price": format!("{price}.00"), "version": at});
    let rows: Vec<Value> = (from..to).map(row).collect();
    Delta::inserts(batch(&products().schema, &rows))
}

fn product_engine() -> (Vec<Relation>, Vec<millrace_engine::ViewDefinition>, Engine) {
    let relations = vec![products()];
    let views = vec![
        view(
            "priced",
            "product",
            "select product, sum(price) as price, count(*) as n from products group by product",
        ),
        view(
            "dearest",
            "category",
            "select category, max(price) as price from products group by category",
        ),
        view("listed", "product", "select product, category from products"),
        view(
            "dearest_two",
            "product",
            "select product, category, price from products \
             qualify row_number() over (partition by category order by price desc, version) <= 2",
        ),
        view(
            "neighbours",
            "product",
            "select product, lag(price) over (partition by category order by version) as before from products",
        ),
    ];
    let engine = engine(relations.clone(), views.clone());
    (relations, views, engine)
}

fn restore(
    relations: &[Relation],
    views: &[millrace_engine::ViewDefinition],
    store: &dyn CheckpointStore,
) -> Result<Engine> {
    Engine::restore(EngineConfig::default(), relations.to_vec(), views.to_vec(), store)
        .map(|(engine, _)| engine)
}

fn assert_same(one: &Engine, other: &Engine) {
    for view in one.views().filter(|view| view.materialize) {
        let rows = |engine: &Engine| {
            let snapshot = engine.snapshot(&view.name).expect("both have the view");
            rows_of(&snapshot.batches().expect("a snapshot can be read"))
        };
        assert_eq!(rows(one), rows(other), "{}", view.name);
    }
}

fn segment_bytes(store: &MemoryStore) -> usize {
    let names = store.list().expect("memory can be listed");
    let segments = names.iter().filter(|name| name.starts_with("segment-"));
    let file = |name: &String| store.read(name).expect("memory can be read");
    segments.map(|name| file(name).expect("what is listed is there").len()).sum()
}

#[test]
fn an_empty_store_gives_a_fresh_engine() {
    let (relations, views, _) = product_engine();
    let (engine, cut) =
        Engine::restore(EngineConfig::default(), relations, views, &MemoryStore::new()).unwrap();
    assert_eq!(engine.epoch(), 0);
    assert!(cut.is_empty());
}

#[test]
fn a_checkpoint_on_disk_survives_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let (relations, views, mut engine) = product_engine();
    for number in 1..6 {
        let inputs = vec![("products".to_owned(), product_rows(number * 10, number * 15, number))];
        engine.step(epoch(number, inputs)).unwrap();
        engine.checkpoint(&mut DirStore::open(directory.path()).unwrap()).unwrap();
    }
    let store = DirStore::open(directory.path()).unwrap();
    let mut restored = restore(&relations, &views, &store).unwrap();
    assert_eq!(restored.epoch(), 5);
    assert_same(&engine, &restored);
    let next = || epoch(6, vec![("products".to_owned(), product_rows(0, 80, 9))]);
    let (mut one, mut other) = (BTreeMap::new(), BTreeMap::new());
    add_changes(&mut one, &engine.step(next()).unwrap());
    add_changes(&mut other, &restored.step(next()).unwrap());
    assert_eq!(one, other);
}

#[test]
fn a_second_checkpoint_costs_what_changed() {
    let (relations, views, mut engine) = product_engine();
    let mut store = MemoryStore::new();
    engine.step(epoch(1, vec![("products".to_owned(), product_rows(0, 20_000, 1))])).unwrap();
    engine.checkpoint(&mut store).unwrap();
    let whole = segment_bytes(&store);
    engine.step(epoch(2, vec![("products".to_owned(), product_rows(100, 110, 2))])).unwrap();
    engine.checkpoint(&mut store).unwrap();
    let added = segment_bytes(&store) - whole;
    assert!(added * 20 < whole, "{added} bytes after {whole}");
    assert_same(&engine, &restore(&relations, &views, &store).unwrap());
}

#[test]
fn old_checkpoints_and_their_segments_go() {
    let (relations, views, mut engine) = product_engine();
    let mut store = MemoryStore::new();
    for number in 1..40 {
        engine
            .step(epoch(number, vec![("products".to_owned(), product_rows(0, 500, number))]))
            .unwrap();
        engine.checkpoint(&mut store).unwrap();
    }
    let names = store.list().unwrap();
    assert_eq!(names.iter().filter(|name| name.starts_with("manifest-")).count(), 2);
    assert!(names.len() <= 8, "{names:?}");
    assert_same(&engine, &restore(&relations, &views, &store).unwrap());
}

#[test]
fn a_damaged_checkpoint_is_refused_for_the_one_before() {
    let (relations, views, mut engine) = product_engine();
    let mut store = MemoryStore::new();
    let mut newest = Vec::new();
    for number in 1..3 {
        let known = store.list().unwrap();
        engine
            .step(epoch(number, vec![("products".to_owned(), product_rows(0, 900, number))]))
            .unwrap();
        engine.checkpoint(&mut store).unwrap();
        newest = store.list().unwrap();
        newest.retain(|name| !known.contains(name));
    }
    assert!(newest.len() >= 2, "{newest:?}");
    for name in newest {
        let mut damaged = store.clone();
        let bytes = damaged.file_mut(&name).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        let mut restored = restore(&relations, &views, &damaged).unwrap();
        assert_eq!(restored.epoch(), 1, "{name}");
        restored.step(epoch(2, vec![("products".to_owned(), product_rows(0, 900, 2))])).unwrap();
        assert_same(&engine, &restored);
        // The next checkpoint replaces the damaged one.
        restored.checkpoint(&mut damaged).unwrap();
        assert_eq!(restore(&relations, &views, &damaged).unwrap().epoch(), 2);

        let mut cut_short = store.clone();
        cut_short.file_mut(&name).unwrap().truncate(middle);
        assert_eq!(restore(&relations, &views, &cut_short).unwrap().epoch(), 1, "{name}");
        let mut missing = store.clone();
        missing.delete(&name).unwrap();
        assert_eq!(restore(&relations, &views, &missing).unwrap().epoch(), 1, "{name}");
    }
}

#[test]
fn all_damaged_is_an_error_and_never_an_empty_engine() {
    let (relations, views, mut engine) = product_engine();
    let mut store = MemoryStore::new();
    engine.step(epoch(1, vec![("products".to_owned(), product_rows(0, 10, 1))])).unwrap();
    engine.checkpoint(&mut store).unwrap();
    for name in store.list().unwrap() {
        store.file_mut(&name).unwrap().reverse();
    }
    let error = restore(&relations, &views, &store).unwrap_err();
    assert!(matches!(error, Error::NoUsableCheckpoint { count: 1, .. }), "{error}");
}

/// Fails every write after the first few.
struct Failing {
    store: MemoryStore,
    writes_left: usize,
}

impl CheckpointStore for Failing {
    fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.writes_left = self.writes_left.checked_sub(1).ok_or_else(|| Error::Store {
            name: name.to_owned(),
            source: std::io::ErrorKind::StorageFull.into(),
        })?;
        self.store.write(name, bytes)
    }
    fn append(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.store.append(name, bytes)
    }
    fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.write(name, bytes)
    }
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.store.read(name)
    }
    fn read_range(&self, name: &str, offset: u64, length: u64) -> Result<Option<Vec<u8>>> {
        self.store.read_range(name, offset, length)
    }
    fn list(&self) -> Result<Vec<String>> {
        self.store.list()
    }
    fn delete(&mut self, name: &str) -> Result<()> {
        self.store.delete(name)
    }
}

#[test]
fn a_full_disk_loses_no_change() {
    for writes_left in 2..4 {
        let (relations, views, mut engine) = product_engine();
        let mut store = Failing { store: MemoryStore::new(), writes_left };
        engine.step(epoch(1, vec![("products".to_owned(), product_rows(0, 300, 1))])).unwrap();
        engine.checkpoint(&mut store).unwrap();
        engine.step(epoch(2, vec![("products".to_owned(), product_rows(200, 400, 2))])).unwrap();
        let error = engine.checkpoint(&mut store).unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(restore(&relations, &views, &store).unwrap().epoch(), 1);
        store.writes_left = usize::MAX;
        engine.step(epoch(3, vec![("products".to_owned(), product_rows(390, 410, 3))])).unwrap();
        engine.checkpoint(&mut store).unwrap();
        assert_same(&engine, &restore(&relations, &views, &store).unwrap());
    }
}

#[test]
fn a_new_view_fills_itself_after_a_restore_when_its_inputs_keep_rows() {
    let (relations, mut views, mut engine) = product_engine();
    let mut store = MemoryStore::new();
    engine.step(epoch(1, vec![("products".to_owned(), product_rows(0, 100, 5))])).unwrap();
    engine.checkpoint(&mut store).unwrap();
    views.push(view(
        "by_category",
        "category",
        "select category, count(*) as n from products group by category",
    ));
    views.remove(0);
    let mut restored = restore(&relations, &views, &store).unwrap();
    let changes = restored.step(epoch(2, Vec::new())).unwrap();
    assert_eq!(changes.changes.len(), 1);
    let snapshot = restored.snapshot("by_category").unwrap();
    assert_eq!(snapshot.num_rows(), 7);
}

#[test]
fn a_new_view_over_rows_that_passed_is_refused() {
    let sales = Relation {
        name: "moves".to_owned(),
        schema: products().schema,
        kind: RelationKind::Append,
    };
    let views = vec![view("counted", "", "select count(*) as n from moves")];
    let mut engine = engine(vec![sales.clone()], views.clone());
    let mut store = MemoryStore::new();
    engine.step(epoch(1, vec![("moves".to_owned(), product_rows(0, 10, 5))])).unwrap();
    engine.checkpoint(&mut store).unwrap();
    let mut more = views.clone();
    more.push(view("summed", "", "select sum(price) as price from moves"));
    let error = restore(std::slice::from_ref(&sales), &more, &store).unwrap_err();
    assert!(matches!(&error, Error::StateMissing { view, .. } if view == "summed"), "{error}");
    let error = engine.create_view(more[1].clone()).unwrap_err();
    assert!(error.to_string().starts_with("view summed: moves has already been fed"), "{error}");
    // What an earlier view keeps can fill a later one.
    engine.create_view(view("doubled", "", "select n * 2 as n from counted")).unwrap();
    let changes = engine.step(epoch(2, Vec::new())).unwrap();
    let (name, delta) = &changes.changes[0];
    assert_eq!(name, "doubled");
    assert_eq!(
        delta.batch.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values(),
        &[20]
    );
}

#[test]
fn all_views_restore_from_disk_under_churn() {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(400);
    let mut engine = engine(relations(), all_views());
    for number in 1..30 {
        engine.step(epoch(number, world.churn(30))).unwrap();
        if number % 3 == 0 {
            let mut store = DirStore::open(directory.path()).unwrap();
            engine.checkpoint(&mut store).unwrap();
            let restored = restore(&relations(), &all_views(), &store).unwrap();
            assert_same(&engine, &restored);
        }
    }
}

#[test]
fn a_join_beside_a_full_join_restores_among_other_workers() {
    let sql = "select h.shop, m.n, p.product, p.price \
               from shops h full join (select shop, count(*) as n from moves group by shop) m on h.shop = m.shop \
               join products p on p.price < m.n";
    let views = vec![view("dearer", "", sql)];
    let with = |workers| EngineConfig { workers, ..EngineConfig::default() };
    let mut world = World::new(401);
    let mut engine = engine_of(with(2), relations(), views.clone());
    for number in 1..4 {
        engine.step(epoch(number, world.churn(40))).unwrap();
    }
    let mut store = MemoryStore::new();
    engine.checkpoint(&mut store).unwrap();
    let mut restored = Engine::restore(with(3), relations(), views, &store).unwrap().0;
    for number in 4..8 {
        let inputs = world.churn(40);
        engine.step(epoch(number, inputs.clone())).unwrap();
        let changes = restored.step(epoch(number, inputs)).unwrap();
        assert_eq!(changes.stopped, []);
        assert_same(&engine, &restored);
    }
    assert!(restored.snapshot("dearer").unwrap().num_rows() > 0);
}
