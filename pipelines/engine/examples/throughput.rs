//! How fast the engine keeps 25 views of a shop chain: `cargo run -p millrace-engine --example throughput`.
//!
//! A sale is three events of 16 rows: five lines sold, five stock movements, six journal lines. Prints one
//! JSON object for replay (large epochs) and for live running (10 sales an epoch), then the costliest
//! operators. `--explain` prints every view. The epochs' batches are made before the clock starts; JSON
//! decoding is not part of it. Times are processor time of the one thread that does all the work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use chrono::DateTime;
use millrace_engine::{
    Cut, Delta, Engine, EngineConfig, Epoch, MemoryStore, OperatorReport, Relation, RelationKind,
    ViewDefinition,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const SHOPS: usize = 8;
const PRODUCTS: usize = 10_000;
const ACCOUNTS: [&str; 6] = ["1000", "1200", "2200", "4000", "5000", "1300"];

const VIEWS: &[(&str, &str, bool, &str)] = &[
    (
        "stg_sales_lines",
        "",
        false,
        "select sale_id, shop_id, sold_at, line['product_id'] as product_id, line['quantity'] as quantity, line['amount'] as amount, line['cost'] as cost, line['tax'] as tax from (select sale_id, shop_id, sold_at, unnest(lines) as line from sales)",
    ),
    (
        "stg_tenders",
        "",
        false,
        "select sale_id, shop_id, sold_at, method, total as amount from sales",
    ),
    (
        "stg_stock_movements",
        "",
        false,
        "select movement_id, shop_id, moved_at, line['product_id'] as product_id, line['quantity'] as quantity, line['value'] as value from (select movement_id, shop_id, moved_at, unnest(lines) as line from movements)",
    ),
    (
        "stg_journal_lines",
        "",
        false,
        "select entry_id, shop_id, booked_at, line['account'] as account, line['debit'] as debit, line['credit'] as credit from (select entry_id, shop_id, booked_at, unnest(lines) as line from entries)",
    ),
    ("dim_product", "product_id", true, "select product_id, name, category from products"),
    ("dim_shop", "shop_id", true, "select shop_id, name, region from shops"),
    (
        "fct_sales_lines",
        "",
        false,
        "select l.*, p.category from stg_sales_lines l left join dim_product p on p.product_id = l.product_id",
    ),
    (
        "fct_stock_movements",
        "",
        false,
        "select movement_id, shop_id, cast(moved_at as date) as moved_date, product_id, quantity, value from stg_stock_movements",
    ),
    (
        "fct_journal_lines",
        "",
        false,
        "select entry_id, cast(booked_at as date) as booked_date, account, debit, credit from stg_journal_lines",
    ),
    (
        "live_revenue_by_hour",
        "shop_id,sold_hour",
        true,
        "select shop_id, date_trunc('hour', sold_at) as sold_hour, sum(total) as revenue, count(*) as invoices from sales group by 1, 2",
    ),
    (
        "live_revenue_by_day",
        "shop_id,sold_date",
        true,
        "select shop_id, cast(sold_at as date) as sold_date, sum(total) as revenue, count(*) as invoices, avg(total) as basket from sales group by 1, 2",
    ),
    ("live_revenue", "", true, "select sum(total) as revenue, count(*) as invoices from sales"),
    (
        "live_margin_by_hour",
        "shop_id,sold_hour",
        true,
        "select shop_id, date_trunc('hour', sold_at) as sold_hour, sum(amount) as revenue, sum(cost) as cost, sum(amount - cost) as margin from stg_sales_lines group by 1, 2",
    ),
    (
        "live_category_sales",
        "category,sold_date",
        true,
        "select category, cast(sold_at as date) as sold_date, sum(amount) as revenue, sum(quantity) as quantity, count(*) as lines from fct_sales_lines group by 1, 2",
    ),
    (
        "live_category_margin",
        "category",
        true,
        "select category, sum(amount - cost) as margin from fct_sales_lines group by 1",
    ),
    (
        "live_product_sales",
        "product_id",
        true,
        "select product_id, sum(amount) as revenue, sum(quantity) as quantity from stg_sales_lines group by 1",
    ),
    (
        "live_product_shop_sales",
        "product_id,shop_id",
        true,
        "select product_id, shop_id, sum(amount) as revenue, sum(quantity) as quantity from stg_sales_lines group by 1, 2",
    ),
    (
        "live_tax",
        "shop_id,sold_date",
        true,
        "select shop_id, cast(sold_at as date) as sold_date, sum(tax) as tax from stg_sales_lines group by 1, 2",
    ),
    (
        "live_payment_mix",
        "shop_id,method",
        true,
        "select shop_id, method, sum(amount) as amount, count(*) as tenders from stg_tenders group by 1, 2",
    ),
    (
        "live_stock",
        "product_id,shop_id",
        true,
        "select product_id, shop_id, sum(quantity) as on_hand, sum(value) as value, max(moved_at) as last_moved_at from stg_stock_movements group by 1, 2",
    ),
    (
        "live_low_stock",
        "product_id,shop_id",
        true,
        "select product_id, shop_id, on_hand from live_stock where on_hand < -40",
    ),
    (
        "live_stock_value",
        "shop_id",
        true,
        "select shop_id, sum(value) as value from stg_stock_movements group by 1",
    ),
    (
        "live_trial_balance",
        "account",
        true,
        "select account, sum(debit) as debit, sum(credit) as credit from stg_journal_lines group by 1",
    ),
    (
        "live_account_days",
        "account,booked_date",
        true,
        "select account, booked_date, sum(debit) as debit, sum(credit) as credit from fct_journal_lines group by 1, 2",
    ),
    (
        "live_region_revenue",
        "region",
        true,
        "select s.region, sum(r.revenue) as revenue from live_revenue_by_day r join dim_shop s on s.shop_id = r.shop_id group by 1",
    ),
];

fn list(fields: Vec<Field>) -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Struct(Fields::from(fields)), true)))
}

fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn decimal(name: &str, scale: i8) -> Field {
    Field::new(name, DataType::Decimal128(18, scale), true)
}

fn time(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true)
}

fn relations() -> Vec<Relation> {
    let sale_line = vec![
        text("product_id"),
        decimal("quantity", 3),
        decimal("amount", 2),
        decimal("cost", 4),
        decimal("tax", 2),
    ];
    let move_line = vec![text("product_id"), decimal("quantity", 3), decimal("value", 4)];
    let entry_line = vec![text("account"), decimal("debit", 2), decimal("credit", 2)];
    let lines = |fields| Field::new("lines", list(fields), true);
    let append = |name: &str, fields: Vec<Field>| Relation {
        name: name.to_owned(),
        schema: Arc::new(Schema::new(fields)),
        kind: RelationKind::Append,
    };
    let keyed = |name: &str, key: &str, fields: Vec<Field>| Relation {
        name: name.to_owned(),
        schema: Arc::new(Schema::new(fields)),
        kind: RelationKind::Upsert { key: vec![key.to_owned()] },
    };
    vec![
        append(
            "sales",
            vec![
                text("sale_id"),
                text("shop_id"),
                time("sold_at"),
                text("method"),
                decimal("total", 2),
                lines(sale_line),
            ],
        ),
        append(
            "movements",
            vec![text("movement_id"), text("shop_id"), time("moved_at"), lines(move_line)],
        ),
        append(
            "entries",
            vec![text("entry_id"), text("shop_id"), time("booked_at"), lines(entry_line)],
        ),
        keyed("products", "product_id", vec![text("product_id"), text("name"), text("category")]),
        keyed("shops", "shop_id", vec![text("shop_id"), text("name"), text("region")]),
    ]
}

fn id(kind: u32, number: usize) -> String {
    format!("{kind:08x}-0000-7000-8000-{number:012x}")
}

fn batch(schema: &SchemaRef, rows: &[Value]) -> anyhow::Result<RecordBatch> {
    let reader =
        arrow::json::ReaderBuilder::new(Arc::clone(schema)).with_batch_size(rows.len().max(1));
    let mut decoder = reader.build_decoder()?;
    decoder.serialize(rows)?;
    Ok(decoder.flush()?.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(schema))))
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

struct Shops {
    random: ChaCha8Rng,
    sales: usize,
}

impl Shops {
    fn masters(&mut self) -> (Vec<Value>, Vec<Value>) {
        let products = (0..PRODUCTS).map(|at| {
            json!({"product_id": id(1, at), "name": format!("product {at}"), "category": format!("category {}", at % 40)})
        });
        let shops = (0..SHOPS).map(|at| json!({"shop_id": id(2, at), "name": format!("shop {at}"), "region": format!("region {}", at % 3)}));
        (products.collect(), shops.collect())
    }

    /// The rows of `count` sales: sales, movements, entries.
    fn sell(&mut self, count: usize) -> [Vec<Value>; 3] {
        let mut rows = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..count {
            self.sales += 1;
            let seconds = 1_700_000_000 + (self.sales as i64) * 2;
            let at = DateTime::from_timestamp(seconds, 0)
                .map(|time| time.format("%Y-%m-%dT%H:%M:%S").to_string());
            let shop = id(2, self.random.random_range(0..SHOPS));
            let mut total = 0;
            let mut sold = Vec::new();
            let mut moved = Vec::new();
            for _ in 0..5 {
                // Half of what is sold is among a hundredth of the products.
                let range = if self.random.random_bool(0.5) { PRODUCTS / 100 } else { PRODUCTS };
                let product = id(1, self.random.random_range(0..range));
                let amount = self.random.random_range(100..2_000);
                total += amount;
                sold.push(json!({"product_id": product, "quantity": "1.000", "amount": money(amount), "cost": money(amount * 7 / 10), "tax": money(amount / 5)}));
                moved.push(json!({"product_id": product, "quantity": "-1.000", "value": format!("-{}", money(amount * 7 / 10))}));
            }
            let booked: Vec<Value> = ACCOUNTS
                .iter()
                .map(|account| json!({"account": account, "debit": money(total / 3), "credit": money(total / 3)}))
                .collect();
            let method = ["cash", "card", "voucher"][self.random.random_range(0..3)];
            rows[0].push(json!({"sale_id": id(3, self.sales), "shop_id": shop, "sold_at": at, "method": method, "total": money(total), "lines": sold}));
            rows[1].push(json!({"movement_id": id(4, self.sales), "shop_id": shop, "moved_at": at, "lines": moved}));
            rows[2].push(json!({"entry_id": id(5, self.sales), "shop_id": shop, "booked_at": at, "lines": booked}));
        }
        rows
    }
}

/// Time this thread has spent on a processor, which other programs on the machine don't lengthen.
fn watch() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = statistics.split(' ').next().and_then(|count| count.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// Time for operators, measured only while epochs are large: looking at the watch takes a microsecond.
fn operator_watch() -> Duration {
    if MEASURES_OPERATORS.load(Ordering::Relaxed) { watch() } else { Duration::ZERO }
}

static MEASURES_OPERATORS: AtomicBool = AtomicBool::new(true);

fn step(engine: &mut Engine, inputs: Vec<(String, Delta)>) -> anyhow::Result<usize> {
    let number = engine.epoch() + 1;
    let cut = Cut::from_iter([("events-0", number)]);
    let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a time within range");
    let changes = engine.step(Epoch { number, cut, inputs, now })?;
    anyhow::ensure!(changes.stopped.is_empty(), "{:?}", changes.stopped);
    Ok(changes.changes.iter().map(|(_, delta)| delta.num_rows()).sum())
}

fn run(
    engine: &mut Engine,
    shops: &mut Shops,
    name: &str,
    epochs: usize,
    sales: usize,
) -> anyhow::Result<Value> {
    let schemas: Vec<SchemaRef> =
        relations().into_iter().take(3).map(|relation| relation.schema).collect();
    let mut prepared = Vec::new();
    for _ in 0..epochs {
        let rows = shops.sell(sales);
        let inputs = ["sales", "movements", "entries"].into_iter().zip(&schemas).zip(&rows);
        let inputs = inputs.map(|((name, schema), rows)| {
            Ok((name.to_owned(), Delta::inserts(batch(schema, rows)?)))
        });
        prepared.push(inputs.collect::<anyhow::Result<Vec<_>>>()?);
    }
    let mut worst = Duration::ZERO;
    let mut changed = 0;
    let start = watch();
    for inputs in prepared {
        let begin = watch();
        changed += step(engine, inputs)?;
        worst = worst.max(watch() - begin);
    }
    let seconds = (watch() - start).as_secs_f64();
    let sold = (epochs * sales) as f64;
    Ok(json!({
        "run": name,
        "epochs": epochs,
        "sales_per_epoch": sales,
        "events_per_second": (sold * 3.0 / seconds).round(),
        "rows_per_second": (sold * 16.0 / seconds).round(),
        "rows_changed": changed,
        "epoch_ms_mean": seconds * 1000.0 / epochs as f64,
        "epoch_ms_max": worst.as_secs_f64() * 1000.0,
    }))
}

fn collect(report: OperatorReport, operators: &mut Vec<OperatorReport>) {
    report.inputs.iter().for_each(|input| collect(input.clone(), operators));
    if !operators.iter().any(|known| known.id == report.id) {
        operators.push(report);
    }
}

#[expect(clippy::print_stdout, reason = "an example that reports on standard output")]
fn main() -> anyhow::Result<()> {
    let explains = std::env::args().any(|argument| argument == "--explain");
    let mut engine =
        Engine::new(EngineConfig { stopwatch: Some(operator_watch), ..EngineConfig::default() })?;
    for relation in relations() {
        engine.create_relation(relation)?;
    }
    for (name, key, materialize, sql) in VIEWS {
        let key = key.split(',').filter(|column| !column.is_empty()).map(str::to_owned).collect();
        engine.create_view(ViewDefinition {
            name: (*name).to_owned(),
            sql: (*sql).to_owned(),
            key,
            materialize: *materialize,
        })?;
    }
    let mut shops = Shops { random: ChaCha8Rng::seed_from_u64(7), sales: 0 };
    let (products, names) = shops.masters();
    let masters = relations().split_off(3);
    let inputs = vec![
        ("products".to_owned(), Delta::inserts(batch(&masters[0].schema, &products)?)),
        ("shops".to_owned(), Delta::inserts(batch(&masters[1].schema, &names)?)),
    ];
    step(&mut engine, inputs)?;
    run(&mut engine, &mut shops, "warm-up", 2, 4_000)?;
    println!("{}", run(&mut engine, &mut shops, "replay", 10, 8_000)?);
    MEASURES_OPERATORS.store(false, Ordering::Relaxed);
    println!("{}", run(&mut engine, &mut shops, "live", 300, 10)?);
    let mut store = MemoryStore::new();
    let begin = watch();
    engine.checkpoint(&mut store)?;
    let whole = watch() - begin;
    run(&mut engine, &mut shops, "between checkpoints", 20, 10)?;
    let begin = watch();
    engine.checkpoint(&mut store)?;
    println!(
        "{}",
        json!({"checkpoint_ms": whole.as_secs_f64() * 1e3, "next_checkpoint_ms": (watch() - begin).as_secs_f64() * 1e3})
    );

    let mut operators = Vec::new();
    let mut state = 0;
    for (name, ..) in VIEWS {
        let explain = engine.explain(name)?;
        if explains {
            println!("{explain}");
        }
        state += explain.snapshot_bytes;
        collect(explain.root, &mut operators);
    }
    state += operators.iter().map(|operator| operator.state_bytes).sum::<usize>();
    println!("{}", json!({"state_bytes": state, "operators": operators.len()}));
    operators.sort_by_key(|operator| std::cmp::Reverse(operator.time));
    for operator in operators.iter().take(25) {
        let time = operator.time.unwrap_or_default().total;
        let per_row = time.as_nanos() as u64 / operator.rows_in.max(1);
        let description: String = operator.description.chars().take(110).collect();
        println!("{:7.1} ms {per_row:5} ns/row  {description}", time.as_secs_f64() * 1e3);
    }
    Ok(())
}
