//! How small epochs and restarts fare as state grows: `cargo run -p millrace-engine --example scale -- 1000000`.
//!
//! 50 views of a shop chain over as many sales as asked for; about ten rows of state per sale. Prints one JSON
//! object with the times of epochs of 100 rows, one with the checkpoint, and one with the restart from it, made
//! in a process of its own so that its memory can be told. Times are those of the clock on the wall.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use arrow::array::{
    Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::DateTime;
use millrace_engine::{
    Cut, Delta, DirStore, Engine, EngineConfig, Epoch, OperatorReport, Relation, RelationKind,
    ViewDefinition,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SHOPS: usize = 50;
const PRODUCTS: usize = 10_000;
const SALES_PER_CUSTOMER: usize = 4;
/// Rows of an epoch while state is built up, and of one while the shops are open.
const BUILDING: usize = 20_000;
const LIVE: usize = 100;
const LIVE_EPOCHS: usize = 300;

/// Ten families of five views that share no state but their joins.
fn views() -> Vec<ViewDefinition> {
    let family = |number: usize| {
        let filter = format!("quantity <> {number}");
        [
            ("customer", "customer", format!("select customer, sum(amount) as spent, count(*) as sales from sales where {filter} group by customer")),
            ("customer_quantity", "customer", format!("select customer, sum(quantity * {number}) as points, max(sold_at) as last_at from sales group by customer")),
            ("stock", "product,shop", format!("select product, shop, sum(quantity) as sold from sales where {filter} group by product, shop")),
            ("category_day", "category,day", format!("select category, cast(sold_at as date) as day, sum(amount) as revenue from sales s join products p on p.product = s.product where {filter} group by 1, 2")),
            ("category_shop", "category,shop", format!("select category, shop, sum(amount) as revenue, avg(amount) as mean from sales s join products p on p.product = s.product where {filter} group by 1, 2")),
            ("last_sale", "customer", format!("select customer, sale, shop, amount from sales where {filter} qualify row_number() over (partition by customer order by sold_at desc, sale desc) = 1")),
            ("dearest", "sale", format!("select sale, shop, amount from sales where {filter} qualify row_number() over (partition by shop order by amount desc, sale) <= 20")),
            ("extremes", "product", format!("select product, min(amount) as least, max(amount) as most from sales where {filter} group by product")),
            ("sold", "sale", format!("select * from sales where quantity = {number}")),
            ("above", "shop", format!("select shop, count(*) as sales from sales where amount > {number}00 group by shop having count(*) > 10")),
        ]
        .map(|(name, key, sql)| ViewDefinition {
            name: format!("{name}_{number}"),
            sql,
            key: key.split(',').map(str::to_owned).collect(),
            materialize: true,
        })
    };
    (1..=5).flat_map(family).collect()
}

fn relations() -> Vec<Relation> {
    let field = |name: &str, data_type| Field::new(name, data_type, false);
    let sales = vec![
        field("sale", DataType::Int64),
        field("shop", DataType::Utf8),
        field("product", DataType::Int64),
        field("customer", DataType::Int64),
        field("quantity", DataType::Int64),
        field("amount", DataType::Decimal128(18, 2)),
        field("sold_at", DataType::Timestamp(TimeUnit::Microsecond, None)),
    ];
    let products = vec![field("product", DataType::Int64), field("category", DataType::Utf8)];
    let schema = |fields: Vec<Field>| Arc::new(Schema::new(fields));
    let key = vec!["product".to_owned()];
    vec![
        Relation { name: "sales".into(), schema: schema(sales), kind: RelationKind::Append },
        Relation {
            name: "products".into(),
            schema: schema(products),
            kind: RelationKind::Upsert { key },
        },
    ]
}

struct Shops {
    random: ChaCha8Rng,
    sold: usize,
    customers: usize,
    schema: SchemaRef,
}

impl Shops {
    fn new(seed: u64, sold: usize, sales: usize) -> Self {
        let schema = relations().swap_remove(0).schema;
        let customers = (sales / SALES_PER_CUSTOMER).max(1);
        Self { random: ChaCha8Rng::seed_from_u64(seed), sold, customers, schema }
    }

    fn sell(&mut self, count: usize) -> anyhow::Result<Vec<(String, Delta)>> {
        let first = self.sold;
        self.sold += count;
        let mut numbers = |below: usize| -> Vec<i64> {
            (0..count).map(|_| self.random.random_range(0..below) as i64).collect()
        };
        let shops = numbers(SHOPS).into_iter().map(|shop| format!("shop {shop:03}"));
        let shops = StringArray::from_iter_values(shops);
        let products = Int64Array::from(numbers(PRODUCTS));
        let customers = Int64Array::from(numbers(self.customers));
        let quantities = Int64Array::from(numbers(10));
        let amounts =
            Decimal128Array::from_iter_values(numbers(100_000).into_iter().map(i128::from));
        let times = (first..self.sold).map(|sale| 1_700_000_000_000_000 + sale as i64 * 1_000_000);
        let batch = RecordBatch::try_new(
            Arc::clone(&self.schema),
            vec![
                Arc::new(Int64Array::from_iter_values(first as i64..self.sold as i64)),
                Arc::new(shops),
                Arc::new(products),
                Arc::new(customers),
                Arc::new(quantities),
                Arc::new(amounts.with_precision_and_scale(18, 2)?),
                Arc::new(TimestampMicrosecondArray::from_iter_values(times)),
            ],
        )?;
        Ok(vec![("sales".to_owned(), Delta::inserts(batch))])
    }
}

fn products() -> anyhow::Result<Vec<(String, Delta)>> {
    let categories = (0..PRODUCTS).map(|product| format!("category {}", product % 40));
    let batch = RecordBatch::try_new(
        relations().swap_remove(1).schema,
        vec![
            Arc::new(Int64Array::from_iter_values(0..PRODUCTS as i64)),
            Arc::new(StringArray::from_iter_values(categories)),
        ],
    )?;
    Ok(vec![("products".to_owned(), Delta::inserts(batch))])
}

/// Memory of this process in MB: now, and the most there has been.
fn memory() -> anyhow::Result<(u64, u64)> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let field = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find(|line| line.starts_with(name)).context("no such field")?;
        let kilobytes = line.split_whitespace().nth(1).context("no number")?;
        Ok(kilobytes.parse::<u64>()? / 1024)
    };
    Ok((field("VmRSS:")?, field("VmHWM:")?))
}

fn step(engine: &mut Engine, inputs: Vec<(String, Delta)>) -> anyhow::Result<()> {
    let number = engine.epoch() + 1;
    let now = DateTime::from_timestamp(1_700_000_000, 0).context("a time within range")?;
    let changes = engine.step(Epoch { number, cut: Cut::new(), inputs, now })?;
    anyhow::ensure!(changes.stopped.is_empty(), "{:?}", changes.stopped);
    Ok(())
}

/// Epochs of [`LIVE`] rows, with the state before them.
fn live(engine: &mut Engine, shops: &mut Shops) -> anyhow::Result<Value> {
    let mut times = Vec::with_capacity(LIVE_EPOCHS);
    for _ in 0..LIVE_EPOCHS {
        let inputs = shops.sell(LIVE)?;
        let begin = Instant::now();
        step(engine, inputs)?;
        times.push(begin.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Ok(json!({
        "epochs": LIVE_EPOCHS,
        "rows_per_epoch": LIVE,
        "epoch_ms_mean": times.iter().sum::<f64>() / times.len() as f64,
        "epoch_ms_p50": at(0.5),
        "epoch_ms_p99": at(0.99),
        "epoch_ms_max": at(1.0),
    }))
}

fn collect(report: OperatorReport, operators: &mut Vec<OperatorReport>) {
    report.inputs.iter().for_each(|input| collect(input.clone(), operators));
    if !operators.iter().any(|known| known.id == report.id) {
        operators.push(report);
    }
}

/// Rows, bytes and operators of all views.
fn state(engine: &Engine) -> anyhow::Result<Value> {
    let (mut rows, mut bytes, mut operators) = (0, 0, Vec::new());
    for view in views() {
        let explain = engine.explain(&view.name)?;
        (rows, bytes) = (rows + explain.snapshot_rows, bytes + explain.snapshot_bytes);
        collect(explain.root, &mut operators);
    }
    rows += operators.iter().map(|operator| operator.state_rows).sum::<usize>();
    bytes += operators.iter().map(|operator| operator.state_bytes).sum::<usize>();
    Ok(json!({"rows": rows, "megabytes": bytes >> 20, "operators": operators.len()}))
}

/// What the second process does: it restores, goes on and tells its memory.
fn restart(directory: &Path, sales: usize) -> anyhow::Result<Value> {
    let store = DirStore::open(directory)?;
    let begin = Instant::now();
    let (mut engine, _) = Engine::restore(EngineConfig::default(), relations(), views(), &store)?;
    let seconds = begin.elapsed().as_secs_f64();
    let (restored, peak) = memory()?;
    let state = state(&engine)?;
    let mut shops = Shops::new(2, sales + (LIVE_EPOCHS + 1) * LIVE, sales);
    let live = live(&mut engine, &mut shops)?;
    Ok(json!({
        "restart_seconds": seconds,
        "state": state,
        "memory_mb": restored,
        "memory_mb_peak": peak,
        "live": live,
    }))
}

#[expect(clippy::print_stdout, reason = "an example that reports on standard output")]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let sales: usize = match arguments.first() {
        Some(count) => count.parse().context("how many sales, such as 1000000")?,
        None => 100_000,
    };
    if let Some(directory) = arguments.get(1) {
        println!("{}", restart(Path::new(directory), sales)?);
        return Ok(());
    }
    let mut engine = Engine::new(EngineConfig::default())?;
    relations().into_iter().try_for_each(|relation| engine.create_relation(relation))?;
    views().into_iter().try_for_each(|view| engine.create_view(view))?;
    step(&mut engine, products()?)?;
    let mut shops = Shops::new(1, 0, sales);
    while shops.sold < sales {
        let inputs = shops.sell(BUILDING.min(sales - shops.sold))?;
        step(&mut engine, inputs)?;
    }
    println!("{}", json!({"sales": sales, "state": state(&engine)?}));
    println!("{}", live(&mut engine, &mut shops)?);
    let (steady, _) = memory()?;
    let directory = tempfile::tempdir()?;
    let mut store = DirStore::open(directory.path())?;
    let begin = Instant::now();
    engine.checkpoint(&mut store)?;
    let whole = begin.elapsed().as_secs_f64();
    let (_, peak) = memory()?;
    step(&mut engine, shops.sell(LIVE)?)?;
    let begin = Instant::now();
    engine.checkpoint(&mut store)?;
    println!(
        "{}",
        json!({"checkpoint_seconds": whole, "next_checkpoint_seconds": begin.elapsed().as_secs_f64(), "memory_mb": steady, "memory_mb_peak": peak})
    );
    drop(engine);
    let program = std::env::current_exe()?;
    let restarted = Command::new(program).arg(sales.to_string()).arg(directory.path()).output()?;
    anyhow::ensure!(restarted.status.success(), "{}", String::from_utf8_lossy(&restarted.stderr));
    print!("{}", String::from_utf8_lossy(&restarted.stdout));
    Ok(())
}
