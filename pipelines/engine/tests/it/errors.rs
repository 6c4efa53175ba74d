//! What is refused, and what a view that stops says.

use std::sync::Arc;

use arrow::array::{Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use millrace_engine::{Delta, Engine, EngineConfig, Error, Relation, RelationKind};

use crate::fixture::{engine, engine_of, epoch, view};
use crate::world::relations;

fn refusal(sql: &str) -> String {
    let config = EngineConfig { recompute_rows_max: 0, ..EngineConfig::default() };
    let mut engine = engine_of(config, relations(), Vec::new());
    match engine.create_view(view("v", "", sql)) {
        Err(error) => error.to_string(),
        Ok(()) => panic!("accepted: {sql}"),
    }
}

#[test]
fn unsupported_sql_names_the_view_the_node_and_what_to_write() {
    let cases = [
        ("select random() as r from products", "random()"),
        (
            "select string_agg(distinct product, ',' order by version) as p from products",
            "order different values by themselves",
        ),
        (
            "select product from products p where category not in (select shop from moves m where m.product = p.product)",
            "not exists",
        ),
    ];
    for (sql, expected) in cases {
        let message = refusal(sql);
        assert!(message.starts_with("view v: ") && message.contains(expected), "{sql}: {message}");
    }
}

#[test]
fn sql_that_does_not_plan_says_why() {
    let message = refusal("select prise from products");
    assert!(
        message.contains("view v") && message.contains("prise") && message.contains("price"),
        "{message}"
    );
    let message = refusal("selekt 1");
    assert!(message.contains("view v"), "{message}");
    let message = refusal("drop table products");
    assert!(message.contains("a view is one select"), "{message}");
}

#[test]
fn a_refused_view_leaves_nothing_behind() {
    let mut engine = engine(relations(), Vec::new());
    engine.create_view(view("v", "nope", "select product from products")).unwrap_err();
    engine.create_view(view("v", "", "select product, product from products")).unwrap_err();
    engine.create_view(view("v", "product", "select product from products")).unwrap();
    assert!(matches!(engine.snapshot("w"), Err(Error::UnknownView { .. })));
    assert!(matches!(engine.create_view(view("v", "", "select 1")), Err(Error::NameTaken { .. })));
}

fn numbers(kind: RelationKind) -> Relation {
    let schema = Schema::new(vec![
        Field::new("k", DataType::Int64, false),
        Field::new("v", DataType::Int64, true),
    ]);
    Relation { name: "numbers".to_owned(), schema: Arc::new(schema), kind }
}

fn pairs(keys: Vec<i64>, values: Vec<i64>) -> RecordBatch {
    let columns =
        vec![Arc::new(Int64Array::from(keys)) as _, Arc::new(Int64Array::from(values)) as _];
    RecordBatch::try_new(numbers(RelationKind::Append).schema, columns)
        .expect("the columns are the schema's")
}

fn feed(
    engine: &mut Engine,
    number: u64,
    delta: Delta,
) -> millrace_engine::Result<millrace_engine::EpochChanges> {
    engine.step(epoch(number, vec![("numbers".to_owned(), delta)]))
}

#[test]
fn bad_epochs_are_refused_whole() {
    let mut engine = engine(
        vec![numbers(RelationKind::Append)],
        vec![view("n", "", "select count(*) as n from numbers")],
    );
    let good = || Delta::inserts(pairs(vec![1], vec![1]));
    feed(&mut engine, 5, good()).unwrap();
    assert!(matches!(feed(&mut engine, 5, good()), Err(Error::EpochOrder { given: 5, last: 5 })));
    assert!(matches!(
        feed(&mut engine, 6, Delta::deletes(pairs(vec![1], vec![1]))),
        Err(Error::Input { .. })
    ));
    let narrow = Schema::new(vec![
        Field::new("k", DataType::Int32, false),
        Field::new("v", DataType::Int32, true),
    ]);
    let column = Arc::new(Int32Array::from(vec![1])) as arrow::array::ArrayRef;
    let narrow = RecordBatch::try_new(Arc::new(narrow), vec![Arc::clone(&column), column]).unwrap();
    assert!(matches!(feed(&mut engine, 6, Delta::inserts(narrow)), Err(Error::Input { .. })));
    let unknown = engine.step(epoch(6, vec![("nothing".to_owned(), good())]));
    assert!(matches!(unknown, Err(Error::UnknownRelation { .. })));
    assert_eq!(engine.epoch(), 5);
    feed(&mut engine, 6, good()).unwrap();
    assert_eq!(engine.snapshot("n").unwrap().num_rows(), 1);
}

#[test]
fn a_view_that_fails_stops_alone_and_stays_stopped() {
    let views = vec![
        view("shares", "k", "select k, 100 / v as share from numbers"),
        view("share_sum", "", "select sum(share) as share from shares"),
        view("sums", "k", "select k, sum(v) as v from numbers group by k"),
    ];
    let relations = vec![numbers(RelationKind::Changes)];
    let mut engine = engine(relations.clone(), views.clone());
    feed(&mut engine, 1, Delta::inserts(pairs(vec![1], vec![4]))).unwrap();
    let changes = feed(&mut engine, 2, Delta::inserts(pairs(vec![2], vec![0]))).unwrap();
    let stopped: Vec<&str> = changes.stopped.iter().map(|stopped| stopped.view.as_str()).collect();
    assert_eq!(stopped, ["shares", "share_sum"]);
    assert!(changes.stopped[0].reason.contains("ivide by zero"), "{:?}", changes.stopped);
    assert_eq!(changes.changes.len(), 1);
    assert!(matches!(engine.snapshot("share_sum"), Err(Error::Stopped { .. })));
    assert!(engine.explain("shares").unwrap().to_string().contains("STOPPED"));
    let mut store = millrace_engine::MemoryStore::new();
    engine.checkpoint(&mut store).unwrap();
    let (mut engine, _) = Engine::restore(Default::default(), relations, views, &store).unwrap();
    let changes = feed(&mut engine, 3, Delta::inserts(pairs(vec![3], vec![5]))).unwrap();
    assert!(changes.stopped.is_empty());
    assert_eq!(changes.changes.len(), 1);
    assert_eq!(engine.snapshot("sums").unwrap().num_rows(), 3);
}

#[test]
fn a_subquery_that_gives_two_rows_where_one_is_asked_for_stops_the_view() {
    let mut engine = engine(
        vec![numbers(RelationKind::Changes)],
        vec![
            view(
                "above",
                "",
                "select k from numbers where v > (select v from numbers where k > 5)",
            ),
            view("all", "", "select k, v from numbers"),
        ],
    );
    let changes = feed(&mut engine, 1, Delta::inserts(pairs(vec![1, 6], vec![4, 3]))).unwrap();
    assert_eq!(changes.stopped, []);
    assert_eq!(engine.snapshot("above").unwrap().num_rows(), 1);
    let changes = feed(&mut engine, 2, Delta::inserts(pairs(vec![7], vec![3]))).unwrap();
    assert_eq!(changes.stopped[0].view, "above");
    let reason = &changes.stopped[0].reason;
    assert!(reason.contains("a scalar subquery gave 2 rows, such as v=3"), "{reason}");
    assert_eq!(engine.snapshot("all").unwrap().num_rows(), 3);
}

#[test]
fn a_key_that_is_none_stops_the_view() {
    let mut engine = engine(
        vec![numbers(RelationKind::Changes)],
        vec![
            view("by_k", "k", "select k, v from numbers"),
            view("all", "", "select k, v from numbers"),
        ],
    );
    let changes = feed(&mut engine, 1, Delta::inserts(pairs(vec![1, 1], vec![4, 5]))).unwrap();
    assert_eq!(changes.stopped[0].view, "by_k");
    assert!(
        changes.stopped[0].reason.contains("two rows share the key (k)"),
        "{:?}",
        changes.stopped
    );
    assert_eq!(engine.snapshot("all").unwrap().num_rows(), 2);
}

#[test]
fn taking_back_what_never_came_is_noticed() {
    let mut engine = engine(
        vec![numbers(RelationKind::Changes)],
        vec![
            view("kept", "k", "select k, v from numbers"),
            view("grouped", "k", "select k, count(*) as n from numbers group by k"),
        ],
    );
    let changes = feed(&mut engine, 1, Delta::deletes(pairs(vec![1], vec![4]))).unwrap();
    assert_eq!(changes.stopped.len(), 2);
    assert!(
        changes.stopped.iter().all(|stopped| stopped.reason.contains("not there: k=1")),
        "{:?}",
        changes.stopped
    );
}

#[test]
fn taking_back_more_often_than_it_came_is_noticed() {
    let mut engine = engine(
        vec![numbers(RelationKind::Changes)],
        vec![view("kept", "k", "select k, v from numbers")],
    );
    feed(&mut engine, 1, Delta::inserts(pairs(vec![1], vec![4]))).unwrap();
    let twice = Delta { batch: pairs(vec![1], vec![4]), weights: Some(vec![-2].into()) };
    let changes = feed(&mut engine, 2, twice).unwrap();
    assert_eq!(changes.stopped.len(), 1);
    assert!(changes.stopped[0].reason.contains("not there: k=1, v=4"), "{:?}", changes.stopped);
}
