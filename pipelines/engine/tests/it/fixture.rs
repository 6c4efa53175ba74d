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

use crate::queries::QUERIES;
use crate::world::{Table, batch};

/// Rows as text with how often each is there.
pub type Rows = BTreeMap<String, i64>;

pub fn view(name: &str, key: &str, sql: &str) -> ViewDefinition {
    let key = key.split(',').filter(|column| !column.is_empty()).map(str::to_owned).collect();
    ViewDefinition { name: name.to_owned(), sql: sql.to_owned(), key, materialize: true }
}

pub fn all_views() -> Vec<ViewDefinition> {
    QUERIES.iter().map(|(name, key, sql)| view(name, key, sql)).collect()
}

pub fn engine(relations: Vec<Relation>, views: Vec<ViewDefinition>) -> Engine {
    let mut engine = Engine::new(EngineConfig::default()).expect("the defaults are good");
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

/// Adds the rows of `batch`, `weight` times each or by `weights`.
pub fn add(rows: &mut Rows, delta: &Delta) {
    let options = FormatOptions::default().with_null("NULL");
    let columns = delta.batch.columns().iter();
    let columns: Result<Vec<_>, _> =
        columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &options)).collect();
    let columns = columns.expect("every type of the tests has a text");
    for row in 0..delta.num_rows() {
        let text: Vec<String> =
            columns.iter().map(|column| column.value(row).to_string()).collect();
        let count = rows.entry(text.join("|")).or_default();
        *count += delta.weight(row);
    }
    rows.retain(|_, count| *count != 0);
}

pub fn rows_of(batches: &[RecordBatch]) -> Rows {
    let mut rows = Rows::new();
    batches.iter().for_each(|batch| add(&mut rows, &Delta::inserts(batch.clone())));
    rows
}

/// Checks that a change is summed up and takes rows back before it gives any, then adds it.
pub fn add_changes(views: &mut BTreeMap<String, Rows>, changes: &EpochChanges) {
    for (view, delta) in &changes.changes {
        let mut once = Rows::new();
        add(&mut once, delta);
        let distinct = (0..delta.num_rows()).filter(|row| delta.weight(*row) == 0).count();
        assert_eq!(distinct, 0, "{view} changed by a row of weight 0");
        assert!(!once.is_empty(), "{view} is said to change but does not");
        let signs: Vec<bool> = (0..delta.num_rows()).map(|row| delta.weight(row) > 0).collect();
        assert!(signs.is_sorted(), "{view} gives rows before it takes others back");
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
