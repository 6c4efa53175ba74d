//! A small random world of tables that grow, change and shrink, with the rows they hold at each moment.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use millrace_engine::{Delta, Relation, RelationKind};
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// A table with the rows it holds.
#[derive(Debug, Clone)]
pub struct Table {
    pub relation: Relation,
    pub rows: Vec<Value>,
}

/// All tables and what drives them.
#[derive(Debug)]
pub struct World {
    pub tables: Vec<Table>,
    random: ChaCha8Rng,
    next_id: u64,
}

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

pub fn batch(schema: &SchemaRef, rows: &[Value]) -> RecordBatch {
    if rows.is_empty() {
        return RecordBatch::new_empty(Arc::clone(schema));
    }
    let mut decoder = arrow::json::ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(rows.len())
        .build_decoder()
        .expect("every type of the tests is in JSON");
    decoder.serialize(rows).expect("the rows are of the schema");
    decoder.flush().expect("the rows are of the schema").expect("there are rows")
}

pub fn relations() -> Vec<Relation> {
    let line: Fields = vec![
        field("product", DataType::Utf8),
        field("quantity", DataType::Decimal128(18, 3)),
        field("amount", DataType::Decimal128(18, 2)),
    ]
    .into();
    let sales = Schema::new(vec![
        Field::new("sale_id", DataType::Utf8, false),
        field("shop", DataType::Utf8),
        field("sold_at", DataType::Timestamp(TimeUnit::Microsecond, None)),
        field("total", DataType::Decimal128(18, 2)),
        field("lines", DataType::List(Arc::new(field("item", DataType::Struct(line))))),
        field("tags", DataType::List(Arc::new(field("item", DataType::Utf8)))),
        field(
            "payment",
            DataType::Struct(
                vec![field("method", DataType::Utf8), field("fee", DataType::Int64)].into(),
            ),
        ),
    ]);
    let moves = Schema::new(vec![
        Field::new("product", DataType::Utf8, false),
        field("shop", DataType::Utf8),
        field("quantity", DataType::Int64),
        field("small", DataType::Int32),
        field("cost", DataType::Decimal128(18, 4)),
        field("ratio", DataType::Float64),
        field("day", DataType::Date32),
        field("is_return", DataType::Boolean),
    ]);
    let products = Schema::new(vec![
        Field::new("product", DataType::Utf8, false),
        field("category", DataType::Utf8),
        field("price", DataType::Decimal128(18, 2)),
        field("version", DataType::Int64),
    ]);
    let shops = Schema::new(vec![
        Field::new("shop", DataType::Utf8, false),
        field("region", DataType::Utf8),
        field("size", DataType::Int32),
    ]);
    let relation = |name: &str, schema: Schema, kind: RelationKind| Relation {
        name: name.to_owned(),
        schema: Arc::new(schema),
        kind,
    };
    vec![
        relation("sales", sales, RelationKind::Append),
        relation("moves", moves, RelationKind::Changes),
        relation("products", products, RelationKind::Upsert { key: vec!["product".to_owned()] }),
        relation("shops", shops, RelationKind::Upsert { key: vec!["shop".to_owned()] }),
    ]
}

fn decimal(random: &mut impl Rng, scale: u32, max: i64) -> String {
    let value = random.random_range(-max..max);
    let unit = 10_i64.pow(scale);
    let sign = if value < 0 { "-" } else { "" };
    let digits = scale as usize;
    format!("{sign}{}.{:0digits$}", value.abs() / unit, value.abs() % unit)
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self::of(relations(), seed)
    }

    /// A world of [`relations`], perhaps of other kinds.
    pub fn of(relations: Vec<Relation>, seed: u64) -> Self {
        let table = |relation| Table { relation, rows: Vec::new() };
        let tables = relations.into_iter().map(table).collect();
        Self { tables, random: ChaCha8Rng::seed_from_u64(seed), next_id: 0 }
    }

    /// A number below `end`.
    pub fn draw(&mut self, end: usize) -> usize {
        self.random.random_range(0..end)
    }

    fn maybe(&mut self, value: Value) -> Value {
        if self.random.random_bool(0.12) { Value::Null } else { value }
    }

    fn product(&mut self) -> String {
        format!("product-{:028}", self.random.random_range(0..12))
    }

    fn shop(&mut self) -> String {
        format!("shop{}", self.random.random_range(0..5))
    }

    fn line(&mut self) -> Value {
        let (product, quantity) = (self.product(), decimal(&mut self.random, 3, 20_000));
        let (product, amount) = (self.maybe(json!(product)), decimal(&mut self.random, 2, 9_999));
        json!({"product": product, "quantity": quantity, "amount": self.maybe(json!(amount))})
    }

    fn row(&mut self, table: &str) -> Value {
        match table {
            "sales" => {
                self.next_id += 1;
                let count = self.random.random_range(0..4);
                let lines: Vec<Value> = (0..count).map(|_| self.line()).collect();
                let tags: Vec<Value> = (0..self.random.random_range(0..3))
                    .map(|_| json!(["new", "promo", "web"][self.random.random_range(0..3)]))
                    .collect();
                let shop = self.shop();
                let total = decimal(&mut self.random, 2, 99_999);
                let sold_at = format!(
                    "2024-03-{:02}T{:02}:15:00",
                    self.random.random_range(1..3),
                    self.random.random_range(0..24)
                );
                let method = ["cash", "card", "voucher"].choose(&mut self.random).copied();
                json!({
                    "sale_id": format!("{:036}", self.next_id),
                    "shop": self.maybe(json!(shop)),
                    "sold_at": self.maybe(json!(sold_at)),
                    "total": self.maybe(json!(total)),
                    "lines": self.maybe(json!(lines)),
                    "tags": self.maybe(json!(tags)),
                    "payment": {"method": self.maybe(json!(method)), "fee": self.random.random_range(0..5)},
                })
            }
            "moves" => {
                let (product, shop) = (self.product(), self.shop());
                let cost = decimal(&mut self.random, 4, 3_000_000);
                let (quantity, small) =
                    (self.random.random_range(-5..6), self.random.random_range(0..3));
                let ratio = f64::from(self.random.random_range(-8..8)) / 4.0;
                let day = format!("2024-0{}-01", self.random.random_range(1..5));
                let is_return = self.random.random_bool(0.3);
                json!({
                    "product": product,
                    "shop": self.maybe(json!(shop)),
                    "quantity": self.maybe(json!(quantity)),
                    "small": self.maybe(json!(small)),
                    "cost": self.maybe(json!(cost)),
                    "ratio": self.maybe(json!(ratio)),
                    "day": self.maybe(json!(day)),
                    "is_return": self.maybe(json!(is_return)),
                })
            }
            "products" => {
                self.next_id += 1;
                let (product, price) = (self.product(), decimal(&mut self.random, 2, 900));
                let category = format!("category{}", self.random.random_range(0..3));
                json!({
                    "product": product,
                    "category": self.maybe(json!(category)),
                    "price": self.maybe(json!(price)),
                    "version": self.next_id,
                })
            }
            _ => {
                let (shop, region) =
                    (self.shop(), format!("region{}", self.random.random_range(0..2)));
                json!({
                    "shop": shop,
                    "region": self.maybe(json!(region)),
                    "size": self.random.random_range(0..3),
                })
            }
        }
    }

    /// Some rows come, some go, some change; the tables hold the outcome. Now and then a table rests.
    pub fn churn(&mut self, rows_max: usize) -> Vec<(String, Delta)> {
        let mut inputs = Vec::new();
        for at in 0..self.tables.len() {
            if self.random.random_bool(0.2) {
                continue;
            }
            let Relation { name, schema, kind } = self.tables[at].relation.clone();
            let mut rows = Vec::new();
            let mut weights = Vec::new();
            for _ in 0..self.random.random_range(0..rows_max) {
                let goes = kind != RelationKind::Append && self.random.random_bool(0.45);
                if goes && !self.tables[at].rows.is_empty() {
                    let place = self.random.random_range(0..self.tables[at].rows.len());
                    rows.push(self.tables[at].rows.swap_remove(place));
                    weights.push(-1);
                    continue;
                }
                if self.random.random_bool(0.03) {
                    // A row of weight 0 is none.
                    rows.push(self.row(&name));
                    weights.push(0);
                    continue;
                }
                let row = match self.tables[at].rows.choose(&mut self.random) {
                    Some(twin) if name == "moves" && self.random.random_bool(0.2) => twin.clone(),
                    _ => self.row(&name),
                };
                if let RelationKind::Upsert { key } = &kind {
                    self.tables[at].rows.retain(|other| other[&key[0]] != row[&key[0]]);
                }
                self.tables[at].rows.push(row.clone());
                rows.push(row);
                weights.push(1);
            }
            // Rows of a relation without key may come and go in any order within an epoch.
            if kind == RelationKind::Changes {
                let mut order: Vec<usize> = (0..rows.len()).collect();
                order.shuffle(&mut self.random);
                rows = order.iter().map(|at| rows[*at].clone()).collect();
                weights = order.iter().map(|at| weights[*at]).collect();
            }
            let batch = batch(&schema, &rows);
            let delta = match weights.iter().all(|weight| *weight == 1) {
                true => Delta::inserts(batch),
                false => Delta { batch, weights: Some(weights.into()) },
            };
            inputs.push((name, delta));
        }
        inputs
    }
}
