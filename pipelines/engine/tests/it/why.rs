//! The rows behind a row: they alone give it, and without them it is another or gone.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;
use datafusion::prelude::SessionContext;
use millrace_engine::{Because, Error, Question, Why};

use crate::fixture::{Rows, batch_rows, register, rows_of};
use crate::world::{World, batch, relations};

type Tables = BTreeMap<String, RecordBatch>;

/// Whether running the SQL over the rows behind a row gives that row only, or others of its partition too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gives {
    Only,
    Others,
}
use Gives::{Only, Others};

/// Names and SQL of views, in order.
type Views = [(&'static str, &'static str)];

/// Views, the key of the last one, and what the rows behind a row give.
const SHAPES: &[(&Views, &str, Gives)] = &[
    (
        &[("v", "select sale_id, shop, total * 2 as twice from sales where total > 0")],
        "sale_id",
        Only,
    ),
    (
        &[(
            "v",
            "select sale_id, line['product'] as product, line['amount'] as amount from \
                 (select sale_id, unnest(lines) as line from sales) s",
        )],
        "sale_id,product,amount",
        Others,
    ),
    (
        &[(
            "v",
            "select product, sum(quantity) as quantity, count(*) as moves, max(cost) as dearest \
                 from moves where small > 0 group by product having count(*) > 1",
        )],
        "product",
        Only,
    ),
    (
        &[(
            "v",
            "select date_trunc('day', sold_at) as day, shop, count(distinct total) as totals from sales \
                 group by date_trunc('day', sold_at), shop",
        )],
        "day,shop",
        Only,
    ),
    (&[("v", "select count(*) as sales, sum(total) as total from sales")], "", Only),
    (
        &[(
            "v",
            "select p.category, s.region, sum(m.quantity) as quantity from moves m \
                 join products p on m.product = p.product join shops s on m.shop = s.shop and s.size > 0 \
                 group by p.category, s.region",
        )],
        "category,region",
        Only,
    ),
    (
        &[(
            "v",
            "select p.product, p.price, m.day, m.quantity from products p \
                 left join moves m on m.product = p.product and m.quantity > 2",
        )],
        "product,day,quantity",
        Only,
    ),
    (
        &[(
            "v",
            "select s.shop, m.product, s.region from shops s full join moves m on m.shop = s.shop",
        )],
        "shop,product,region",
        Only,
    ),
    (
        &[(
            "v",
            "select product, price from products p where exists (select 1 from moves m \
                 where m.product = p.product and m.quantity > 3)",
        )],
        "product",
        Only,
    ),
    (
        &[(
            "v",
            "select product, price from products where price > 5 or product in (select product from moves where quantity > 3)",
        )],
        "product",
        Only,
    ),
    (
        &[(
            "v",
            "select product, price from products where product not in (select product from moves)",
        )],
        "product",
        Only,
    ),
    (&[("v", "select distinct shop, small from moves")], "shop,small", Only),
    (
        &[(
            "v",
            "select product, 'm' as kind from moves union all select product, 'p' from products",
        )],
        "product,kind",
        Only,
    ),
    (&[("v", "select product from products intersect select product from moves")], "product", Only),
    (&[("v", "select product from products except select product from moves")], "product", Only),
    (
        &[(
            "v",
            "select shop, sale_id, total from (select *, row_number() over (partition by shop \
                 order by total desc, sale_id) as place from sales) s where place <= 3",
        )],
        "sale_id",
        Only,
    ),
    (
        &[("v", "select sale_id, total from sales order by total desc, sale_id limit 5")],
        "sale_id",
        Only,
    ),
    (
        &[
            ("by_product", "select product, sum(quantity) as quantity from moves group by product"),
            (
                "named",
                "select b.product, p.category, b.quantity from by_product b join products p \
                       on p.product = b.product",
            ),
            (
                "v",
                "select category, sum(quantity) as quantity, count(*) as products from named n group by category",
            ),
        ],
        "category",
        Only,
    ),
    (
        &[
            ("loud", "select product, upper(shop) as shop, quantity from moves where quantity > 0"),
            (
                "v",
                "select a.product, a.shop, b.shop as other from loud a join loud b \
                   on a.product = b.product and a.quantity < b.quantity",
            ),
        ],
        "product,shop,other",
        Others,
    ),
    (
        &[(
            "v",
            "select category, product, count(*) as n, grouping(category) as c, grouping(product) as p \
                 from products group by rollup (category, product)",
        )],
        "category,product,c,p",
        Others,
    ),
    (
        &[(
            "v",
            "select sale_id, total, sum(total) over (partition by shop) as of_shop from sales",
        )],
        "sale_id",
        Others,
    ),
    (
        &[(
            "v",
            "select product, price from products where price > (select avg(price) from products)",
        )],
        "product",
        Others,
    ),
    (
        &[("v", "select product, value from products cross join generate_series(1, 2)")],
        "product,value",
        Others,
    ),
    (
        &[(
            "v",
            "with recursive n as (select small as v from moves union select v + 1 from n where v < 4) \
                 select v, count(*) as n from n group by v",
        )],
        "v",
        Others,
    ),
];

async fn session(tables: &Tables, views: &[(&str, &str)]) -> SessionContext {
    let context = crate::fixture::batch_session(&[]).await;
    for (name, rows) in tables {
        register(&context, name, rows.schema(), vec![rows.clone()]);
    }
    for (name, sql) in &views[..views.len() - 1] {
        let rows = batch_rows(&context, sql).await;
        let schema = context.sql(sql).await.expect("it plans").schema().inner().clone();
        register(&context, name, schema, rows);
    }
    context
}

/// What batch SQL answers for the last view.
async fn answer(tables: &Tables, views: &[(&str, &str)]) -> RecordBatch {
    let (_, sql) = views.last().expect("a view");
    let context = session(tables, views).await;
    let rows = batch_rows(&context, sql).await;
    let schema = context.sql(sql).await.expect("it plans").schema().inner().clone();
    concat_batches(&schema, &rows).expect("the rows are of the schema")
}

/// Each row as text, or some columns of it.
fn texts(rows: &RecordBatch, columns: Option<&[&str]>) -> Vec<Vec<String>> {
    let options = FormatOptions::default().with_null("null");
    let names: Vec<String> = match columns {
        Some(columns) => columns.iter().map(ToString::to_string).collect(),
        None => rows.schema().fields().iter().map(|field| field.name().clone()).collect(),
    };
    let formatters: Vec<ArrayFormatter<'_>> = names
        .iter()
        .map(|name| rows.column_by_name(name).expect("a column"))
        .map(|column| {
            ArrayFormatter::try_new(column.as_ref(), &options).expect("a type with a text")
        })
        .collect();
    (0..rows.num_rows())
        .map(|row| formatters.iter().map(|column| column.value(row).to_string()).collect())
        .collect()
}

fn some(rows: &RecordBatch, keep: impl Fn(usize) -> bool) -> RecordBatch {
    let places = (0..rows.num_rows()).filter(|row| keep(*row)).map(|row| row as u32);
    take_record_batch(rows, &UInt32Array::from_iter_values(places)).expect("the rows are there")
}

/// The rows whose key has these values.
fn with_key(rows: &RecordBatch, columns: &[&str], key: &[String]) -> Rows {
    let keys = texts(rows, Some(columns));
    rows_of(&[some(rows, |row| keys[row] == key)])
}

/// The tables split into the rows behind a row and all others.
fn split(tables: &Tables, because: &Because) -> (Tables, Tables) {
    let (mut behind, mut others) = (Tables::new(), Tables::new());
    for (name, rows) in tables {
        // What two views read of a relation may overlap: as often as one of them has it.
        let mut counts: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for origin in because.origins.iter().filter(|origin| origin.name == *name) {
            let mut own: BTreeMap<Vec<String>, usize> = BTreeMap::new();
            texts(&origin.rows, None).into_iter().for_each(|row| *own.entry(row).or_default() += 1);
            for (row, count) in own {
                let known = counts.entry(row).or_default();
                *known = count.max(*known);
            }
        }
        let is_behind: Vec<bool> = texts(rows, None)
            .into_iter()
            .map(|row| match counts.get_mut(&row).filter(|count| **count > 0) {
                Some(count) => {
                    *count -= 1;
                    true
                }
                None => false,
            })
            .collect();
        assert!(counts.values().all(|count| *count == 0), "{name}: rows that are not in the table");
        behind.insert(name.clone(), some(rows, |row| is_behind[row]));
        others.insert(name.clone(), some(rows, |row| !is_behind[row]));
    }
    (behind, others)
}

fn question(views: &[(&str, &str)], key: Vec<(String, String)>) -> Question {
    Question {
        relations: relations()
            .into_iter()
            .map(|relation| (relation.name, relation.schema))
            .collect(),
        views: views.iter().map(|(name, sql)| (name.to_string(), sql.to_string())).collect(),
        view: views.last().expect("a view").0.to_owned(),
        key,
        now: DateTime::UNIX_EPOCH,
    }
}

fn because(tables: &Tables, question: &Question) -> Because {
    let why = Why::new(question).unwrap_or_else(|error| panic!("{error}"));
    let mut given = BTreeMap::new();
    for (name, rows) in tables {
        given.insert(
            name.clone(),
            vec![why.relevant(name, rows).expect("the condition holds or not")],
        );
    }
    why.answer(given).unwrap_or_else(|error| panic!("{question:?}: {error}"))
}

fn world(seed: u64) -> Tables {
    let mut world = World::new(seed);
    (0..16).for_each(|_| drop(world.churn(40)));
    let table = |table: crate::world::Table| {
        (table.relation.name.clone(), batch(&table.relation.schema, &table.rows))
    };
    world.tables.into_iter().map(table).collect()
}

#[tokio::test]
async fn the_rows_behind_a_row_give_it_and_it_needs_them() {
    let mut explained = BTreeSet::new();
    for seed in 1..8 {
        let tables = world(seed);
        let mut draw = World::new(seed + 100);
        for (views, key, gives) in SHAPES {
            let place = format!("seed {seed}, {views:?}");
            let columns: Vec<&str> = key.split(',').filter(|column| !column.is_empty()).collect();
            let rows = answer(&tables, views).await;
            let mut keys = texts(&rows, Some(&columns));
            keys.dedup();
            if keys.is_empty() {
                continue;
            }
            explained.insert(views);
            for _ in 0..3 {
                let key = keys[draw.draw(keys.len())].clone();
                let place = format!("{place}, {key:?}");
                let expected = with_key(&rows, &columns, &key);
                let pairs =
                    columns.iter().map(ToString::to_string).zip(key.iter().cloned()).collect();
                let because = because(&tables, &question(views, pairs));
                assert_eq!(rows_of(std::slice::from_ref(&because.rows)), expected, "{place}");
                let (behind, others) = split(&tables, &because);
                let alone = answer(&behind, views).await;
                assert_eq!(with_key(&alone, &columns, &key), expected, "{place}");
                if *gives == Only {
                    assert_eq!(rows_of(&[alone]), expected, "{place}");
                    let is_told = because.origins.iter().all(|origin| {
                        origin.caveats.iter().all(|caveat| caveat.contains("not shown"))
                    });
                    assert!(is_told, "{place}: {:?}", because.origins);
                }
                if behind.values().all(|rows| rows.num_rows() == 0) {
                    // A total over no rows: there is nothing to take away.
                    continue;
                }
                let without = answer(&others, views).await;
                assert_ne!(with_key(&without, &columns, &key), expected, "{place}");
            }
        }
    }
    for (views, ..) in SHAPES {
        assert!(explained.contains(views), "no seed has rows of {views:?}");
    }
}

#[test]
fn inputs_come_before_inputs_of_inputs() {
    let views = [
        ("by_product", "select product, sum(quantity) as quantity from moves group by product"),
        (
            "v",
            "select p.category, sum(quantity) as quantity from by_product b join products p \
               on p.product = b.product group by p.category",
        ),
    ];
    let key = vec![("category".to_owned(), "category1".to_owned())];
    let because = because(&world(5), &question(&views, key));
    let names: Vec<(&str, &str, bool)> = because
        .origins
        .iter()
        .map(|origin| (origin.name.as_str(), origin.reader.as_str(), origin.is_view))
        .collect();
    assert_eq!(
        names,
        [("by_product", "v", true), ("products", "v", false), ("moves", "by_product", false)]
    );
    let [groups, products, moves] = &because.origins[..] else { panic!("three origins") };
    assert_eq!(groups.rows.num_rows(), products.rows.num_rows());
    let products = |rows: &RecordBatch| {
        texts(rows, Some(&["product"])).into_iter().flatten().collect::<BTreeSet<_>>()
    };
    assert_eq!(products(&moves.rows), products(&groups.rows));
    assert_eq!(moves.rows.num_columns(), 8, "rows are shown whole");
}

#[test]
fn rows_that_can_not_count_are_told_beforehand() {
    let views = [("v", "select product, sum(quantity) as quantity from moves group by product")];
    let tables = world(6);
    let product = texts(&tables["moves"], Some(&["product"]))[0][0].clone();
    let why = Why::new(&question(&views, vec![("product".to_owned(), product.clone())])).unwrap();
    assert_eq!(why.reads().collect::<Vec<_>>(), ["moves"]);
    let relevant = why.relevant("moves", &tables["moves"]).unwrap();
    let expected = with_key(&tables["moves"], &["product"], std::slice::from_ref(&product));
    assert_eq!(rows_of(std::slice::from_ref(&relevant)), expected);
    assert!(relevant.num_rows() < tables["moves"].num_rows());
    assert!(texts(&relevant, Some(&["product"])).iter().all(|row| row[0] == product));
    assert_eq!(why.relevant("shops", &tables["shops"]).unwrap().num_rows(), 0);
}

#[test]
fn a_window_says_that_it_shows_its_partition() {
    let views = [("v", "select sale_id, sum(total) over (partition by shop) as total from sales")];
    let tables = world(7);
    let sale = texts(&tables["sales"], Some(&["sale_id"]))[0][0].clone();
    let because = because(&tables, &question(&views, vec![("sale_id".to_owned(), sale)]));
    let caveats = &because.origins[0].caveats;
    assert_eq!(caveats, &["sum over a window: these are all rows of the partition"]);
}

#[test]
fn a_wrong_key_is_told_with_the_columns_there_are() {
    let views = [("v", "select product, price from products")];
    let refused = |column: &str, value: &str| {
        let asked = question(&views, vec![(column.to_owned(), value.to_owned())]);
        Why::new(&asked).expect_err("it is refused")
    };
    let error = refused("produkt", "a");
    assert!(matches!(error, Error::Definition(_)), "{error}");
    assert_eq!(
        error.to_string(),
        "view v: it has no column produkt; its columns are product, price; did you mean \"product\"?"
    );
    let error = refused("price", "cheap").to_string();
    assert!(
        error.contains("\"cheap\" is no Decimal128(18, 2), which column price holds"),
        "{error}"
    );
    let mut asked = question(&views, Vec::new());
    asked.view = "w".to_owned();
    assert!(matches!(Why::new(&asked), Err(Error::UnknownView { .. })));
}
