//! How far each filling of a mart is, as ClickHouse has it.

use arrow::array::{AsArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit, UInt64Type};
use chrono::{DateTime, Utc};
use hashbrown::HashMap;
use millrace_events::{Lsn, Position};
use std::sync::Arc;

use crate::client::Clickhouse;
use crate::ddl::{PROGRESS, quote, text};
use crate::{Error, Result};

/// What a batch that has arrived says about all marts it was for.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub position: Position,
    pub epoch: u64,
    pub frontier: Option<Lsn>,
    pub as_of: Option<DateTime<Utc>>,
    pub loaded_at: DateTime<Utc>,
}

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// Notes that the fillings (mart, identity) are at `arrived`, in one block.
pub(crate) async fn write(
    clickhouse: &Clickhouse,
    database: &str,
    fillings: &[(String, String)],
    arrived: &Arrived,
) -> Result<()> {
    let count = fillings.len();
    let schema = Arc::new(Schema::new(vec![
        Field::new("mart", DataType::Utf8, false),
        Field::new("identity", DataType::Utf8, false),
        Field::new("position", DataType::UInt64, false),
        Field::new("epoch", DataType::UInt64, false),
        Field::new("frontier_lsn", DataType::Utf8, false),
        Field::new("as_of", utc(), true),
        Field::new("loaded_at", utc(), false),
    ]));
    let frontier = arrived.frontier.map(|lsn| lsn.to_string()).unwrap_or_default();
    let as_of = arrived.as_of.map(|at| at.timestamp_micros());
    let loaded_at = arrived.loaded_at.timestamp_micros();
    let rows = RecordBatch::try_new(
        schema,
        vec![
            Arc::new(fillings.iter().map(|(mart, _)| Some(mart)).collect::<StringArray>()),
            Arc::new(fillings.iter().map(|(_, identity)| Some(identity)).collect::<StringArray>()),
            Arc::new(UInt64Array::from(vec![arrived.position.0; count])),
            Arc::new(UInt64Array::from(vec![arrived.epoch; count])),
            Arc::new(StringArray::from(vec![frontier.as_str(); count])),
            Arc::new(TimestampMicrosecondArray::from(vec![as_of; count]).with_timezone("UTC")),
            Arc::new(TimestampMicrosecondArray::from(vec![loaded_at; count]).with_timezone("UTC")),
        ],
    )?;
    let table = format!("{}.{PROGRESS}", quote(database));
    let token = format!("progress/{}/{}", arrived.position, arrived.loaded_at.timestamp_micros());
    clickhouse.insert(&table, &rows, &token).await
}

/// Position of each filling (mart, identity).
pub(crate) async fn read(
    clickhouse: &Clickhouse,
    database: &str,
) -> Result<HashMap<(String, String), Position>> {
    let sql = format!(
        "select mart, identity, max(position) as position from {}.{PROGRESS} group by mart, identity",
        quote(database)
    );
    let mut found = HashMap::new();
    for batch in clickhouse.select("read progress", &sql).await? {
        let marts = strings(&batch, 0)?;
        let identities = strings(&batch, 1)?;
        let positions = cast(batch.column(2), &DataType::UInt64)?;
        let positions = positions.as_primitive::<UInt64Type>();
        for row in 0..batch.num_rows() {
            let filling = (marts.value(row).to_owned(), identities.value(row).to_owned());
            found.insert(filling, Position(positions.value(row)));
        }
    }
    Ok(found)
}

/// The identity of each existing table, as its comment tells; empty where it tells none.
pub(crate) async fn tables(
    clickhouse: &Clickhouse,
    database: &str,
) -> Result<HashMap<String, String>> {
    let sql =
        format!("select name, comment from system.tables where database = {}", text(database));
    let mut found = HashMap::new();
    for batch in clickhouse.select("list tables", &sql).await? {
        let names = strings(&batch, 0)?;
        let comments = strings(&batch, 1)?;
        for row in 0..batch.num_rows() {
            let comment = comments.value(row);
            let identity = comment.rsplit_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
            found.insert(names.value(row).to_owned(), identity.unwrap_or_default().to_owned());
        }
    }
    Ok(found)
}

fn strings(batch: &RecordBatch, column: usize) -> Result<StringArray> {
    let values = cast(batch.column(column), &DataType::Utf8)?;
    values.as_string_opt::<i32>().cloned().ok_or_else(|| Error::Columns {
        mart: PROGRESS.to_owned(),
        problem: format!("column {column} is not text"),
    })
}
