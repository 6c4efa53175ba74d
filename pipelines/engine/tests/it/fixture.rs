//! Engines, epochs and rows for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, Utc};
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use millrace_engine::{
    Cut, Delta, Engine, EngineConfig, Epoch, EpochChanges, Relation, ViewDefinition,
};

use crate::queries::{LATE, QUERIES, aggregate, join, set, window};
use crate::world::{Table, batch};

/// Rows as text with how often each is there.
pub type Rows = BTreeMap<String, i64>;

pub fn view(name: &str, key: &str, sql: &str) -> ViewDefinition {
    let key = key.split(',').filter(|column| !column.is_empty()).map(str::to_owned).collect();
    let materialize = !name.starts_with("unkept_");
    ViewDefinition { name: name.to_owned(), sql: sql.to_owned(), key, materialize }
}

pub fn all_views() -> Vec<ViewDefinition> {
    let classes = [QUERIES, aggregate::QUERIES, join::QUERIES, set::QUERIES, window::QUERIES];
    classes.into_iter().flatten().map(|(name, key, sql)| view(name, key, sql)).collect()
}

/// Views for an engine that has [`all_views`] already.
pub fn late_views() -> Vec<ViewDefinition> {
    let queries = LATE.iter().chain(window::LATE);
    queries.map(|(name, key, sql)| view(name, key, sql)).collect()
}

pub fn engine(relations: Vec<Relation>, views: Vec<ViewDefinition>) -> Engine {
    engine_of(EngineConfig::default(), relations, views)
}

pub fn engine_of(
    config: EngineConfig,
    relations: Vec<Relation>,
    views: Vec<ViewDefinition>,
) -> Engine {
    let mut engine = Engine::new(config).expect("the configuration is good");
    for relation in relations {
        engine.create_relation(relation).expect("a relation of the tests is good");
    }
    for view in views {
        engine.create_view(view).unwrap_or_else(|error| panic!("{error}"));
    }
    engine
}

pub fn epoch(number: u64, inputs: Vec<(String, Delta)>) -> Epoch {
    let cut: Cut = [("events-0", number * 10)].into_iter().collect();
    let now = DateTime::<Utc>::from_timestamp(1_700_000_000 + number as i64, 0);
    Epoch { number, cut, inputs, now: now.expect("the time is in this century") }
}

/// Rows as text, in their order.
fn texts(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = batch.columns().iter();
    let columns: Result<Vec<_>, _> =
        columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect();
    let columns = columns.expect("every type of the tests has a text");
    let text = |row: usize| {
        columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")
    };
    (0..batch.num_rows()).map(text).collect()
}

/// Adds the rows of a change by their weights.
pub fn add(rows: &mut Rows, delta: &Delta) {
    for (row, text) in texts(&delta.batch).into_iter().enumerate() {
        *rows.entry(text).or_default() += delta.weight(row);
    }
    rows.retain(|_, count| *count != 0);
}

pub fn rows_of(batches: &[RecordBatch]) -> Rows {
    let mut rows = Rows::new();
    batches.iter().for_each(|batch| add(&mut rows, &Delta::inserts(batch.clone())));
    rows
}

/// Checks that a change holds no row with its opposite and takes rows back before it gives any, then adds it.
pub fn add_changes(views: &mut BTreeMap<String, Rows>, changes: &EpochChanges) {
    for (view, delta) in &changes.changes {
        assert!(!delta.is_empty(), "{view} is said to change but does not");
        let weights: Vec<i64> = (0..delta.num_rows()).map(|row| delta.weight(row)).collect();
        assert!(!weights.contains(&0), "{view} changed by a row of weight 0");
        let signs: Vec<bool> = weights.iter().map(|weight| *weight > 0).collect();
        assert!(signs.is_sorted(), "{view} gives rows before it takes others back");
        let mut comes = BTreeMap::new();
        for (text, sign) in texts(&delta.batch).into_iter().zip(signs) {
            let is_same = *comes.entry(text.clone()).or_insert(sign) == sign;
            assert!(is_same, "{view} gives a row and takes it back in one change: {text}");
        }
        add(views.entry(view.clone()).or_default(), delta);
    }
}

/// A session in which the tables and the views before stand as batch SQL would have them.
pub async fn batch_session(tables: &[Table]) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    let context = SessionContext::new_with_config(config);
    for table in tables {
        let rows = batch(&table.relation.schema, &table.rows);
        register(&context, &table.relation.name, Arc::clone(&table.relation.schema), vec![rows]);
    }
    context
}

/// Makes rows known to the session under a name it does not have yet.
pub fn register(context: &SessionContext, name: &str, schema: SchemaRef, rows: Vec<RecordBatch>) {
    let table = MemTable::try_new(schema, vec![rows]).expect("the rows are of the schema");
    context.register_table(name, Arc::new(table)).expect("the name is free");
}

pub async fn batch_rows(context: &SessionContext, sql: &str) -> Vec<RecordBatch> {
    let rows = async { context.sql(sql).await?.collect().await };
    rows.await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}
