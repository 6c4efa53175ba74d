//! What is refused, and what a view that stops says.

use std::sync::Arc;

use arrow::array::{Int32Array, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use millrace_engine::{Delta, Engine, EngineConfig, Error, Relation, RelationKind};

use crate::fixture::{engine, engine_of, epoch, view};
use crate::world::relations;

fn refused(name: &str, sql: &str) -> Error {
    let config = EngineConfig { recompute_rows_max: 0, ..EngineConfig::default() };
    let mut engine = engine_of(config, relations(), Vec::new());
    match engine.create_view(view(name, "", sql)) {
        Err(error) => error,
        Ok(()) => panic!("accepted: {sql}"),
    }
}

/// SQL, the part that is marked with the line it is in, what is said of it, and what to write instead.
const FAULTS: &[(&str, usize, &str, &str, &str)] = &[
    (
        "select product,\n  prise\nfrom products",
        2,
        "prise",
        "there is no column \"prise\"",
        "did you mean \"price\"?",
    ),
    (
        "select p.prise from products p",
        1,
        "p.prise",
        "p has no column \"prise\"",
        "did you mean \"price\"?",
    ),
    ("select q.price from products p", 1, "q.price", "q has no column \"price\"", "there are p"),
    (
        "select other from products",
        1,
        "other",
        "no column \"other\"",
        "there are product, category, price, version",
    ),
    (
        "select product from prodcuts",
        1,
        "prodcuts",
        "no relation or view is called \"prodcuts\"",
        "did you mean \"products\"?",
    ),
    (
        "select product\nfrom elsewhere",
        2,
        "elsewhere",
        "no relation or view",
        "there are moves, products, sales, shops",
    ),
    (
        "select lowr(product) from products",
        1,
        "lowr",
        "there is no function \"lowr\"",
        "did you mean \"lower\"?",
    ),
    (
        "select product from products join moves on true",
        1,
        "product",
        "more than one table has a column \"product\"",
        "write products.product or moves.product",
    ),
    (
        "select product, shop, sum(quantity) as q from moves group by product",
        1,
        "shop",
        "moves.shop is neither grouped by",
        "first_value(moves.shop)",
    ),
    (
        "select min(price) as q,\n  sum(product) as p from products",
        2,
        "sum",
        "there is no sum(Utf8)",
        "sum(Decimal)",
    ),
    (
        "select lower(product, product) as p from products",
        1,
        "lower",
        "there is no lower(Utf8, Utf8)",
        "there are lower(String): cast",
    ),
    ("select product + 1 as p from products", 1, "product", "Utf8 + Int64", ""),
    (
        "select product,\n  category as product from products",
        2,
        "category as product",
        "two columns are called product",
        "`as`",
    ),
    (
        "select product,\n  product from products",
        2,
        "product",
        "two columns are called product",
        "`as`",
    ),
    (
        "select p.product, m.product from products p join moves m on m.product = p.product",
        1,
        "m.product",
        "two columns are called product",
        "`as`",
    ),
    (
        "select product, cast(price as nonsense) as p from products",
        1,
        "nonsense",
        "Unsupported SQL type",
        "",
    ),
    (
        "select product from products where product in (select product, shop from moves)",
        1,
        "product, shop",
        "Too many columns",
        "only one column",
    ),
    // What the parser can't read.
    ("selekt 1", 1, "selekt", "Expected: an SQL statement", "did you mean select?"),
    (
        "select product form products p",
        1,
        "form",
        "found: products",
        "is \"form\" meant to be from?",
    ),
    (
        "select product from products were price > 1",
        1,
        "were",
        "found: price",
        "is \"were\" meant to be where?",
    ),
    ("select product\nfrom products where", 2, "", "found the end of the text", ""),
    ("select 'a from products", 1, "'", "Unterminated string literal", ""),
    ("select 1;\nselect 2", 2, "select", "more than one statement", "a view is one select"),
    // What is no view, or is not kept.
    ("drop table products", 1, "drop", "DropTable", "a view is one select"),
    (
        "-- random()\nselect product,\n  random() as r from products",
        3,
        "random",
        "random() is not supported",
        "keep it in a column",
    ),
    (
        "select string_agg(distinct category, ',') as c,\n  string_agg(distinct product, ',' order by version) as p from products",
        2,
        "string_agg",
        "string_agg(DISTINCT products.product",
        "order different values by themselves",
    ),
    (
        "with recursive n as (select 1 as v union all select v + 1 from n where v < 3) select v from n",
        1,
        "recursive",
        "RecursiveQuery",
        "a fixed number of joins",
    ),
    (
        "select product from products p\nwhere category not in (select shop from moves m where m.product = p.product)",
        2,
        "not in",
        "null_aware is not supported",
        "not exists",
    ),
    (
        "select product from products limit (select 1)",
        1,
        "limit",
        "Limit",
        "the number of rows itself",
    ),
];

#[test]
fn faults_name_the_view_the_place_and_what_to_write() {
    for (sql, line, marked, problem, help) in FAULTS {
        let error = refused("v", sql);
        let fault = error.fault().unwrap_or_else(|| panic!("{sql}: {error}"));
        let place = fault.place.as_ref().unwrap_or_else(|| panic!("{sql}: {error}"));
        let shown: String = place.text.chars().skip(place.column - 1).take(place.length).collect();
        assert_eq!((place.line, shown.as_str()), (*line, *marked), "{sql}: {error}");
        assert_eq!(fault.subject, "view v");
        assert!(fault.problem.contains(problem), "{sql}: {error}");
        assert!(fault.help.as_deref().unwrap_or_default().contains(help), "{sql}: {error}");
    }
}

#[test]
fn a_fault_is_shown_in_its_line() {
    let error = refused("cheap", "select product,\n  prise\nfrom products");
    let expected = "view cheap, line 2, column 3: there is no column \"prise\"\n  |\n2 |   prise\n  |   ^^^^^\n  \
                    = did you mean \"price\"?";
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.code(), "plan");
}

#[test]
fn a_reader_of_a_replaced_view_tells_its_own_place() {
    let mut engine = engine(
        relations(),
        vec![
            view("cheap", "", "select product, price from products where price < 5"),
            view("cheapest", "", "select\n  min(price) as price\nfrom cheap"),
        ],
    );
    let error = engine.replace_view(view("cheap", "", "select product from products")).unwrap_err();
    let place = error
        .fault()
        .and_then(|fault| fault.place.as_ref())
        .map(|place| (place.line, place.column));
    assert_eq!(place, Some((2, 7)), "{error}");
    assert!(error.to_string().contains("view cheapest, line 2, column 7"), "{error}");
}

#[test]
fn a_key_that_is_no_column_is_told_with_the_one_that_was_meant() {
    let mut engine = engine(relations(), Vec::new());
    let error =
        engine.create_view(view("v", "produkt", "select product from products")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "view v: key column produkt is not among its columns: product; did you mean \"product\"?"
    );
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
