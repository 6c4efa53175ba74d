//! Given/expect tests of views: `<name>.test.toml` beside `<name>.sql`.
//!
//! ```toml
//! [[given]]
//! event = "shop_opened"       # one event per table, in order; position 1, 2, 3…
//! shop_id = "s1"              # columns left out are empty, zero or null
//!
//! [[expect]]                  # all rows, in any order, by the columns that matter; a column
//! shop_id = "s1"              # that only other rows name is null
//! ```
//!
//! A case runs three ways that must agree: each event in an epoch of its own, all in one epoch, and
//! as batch SQL.

use std::io::Cursor;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow_json::ReaderBuilder;
use chrono::DateTime;
use millrace_engine::{Cut, Delta, Engine, EngineConfig, Epoch};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::registry::embedded;
use crate::{Error, Registry, Result, batch};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    given: Vec<Map<String, Value>>,
    #[serde(default)]
    expect: Vec<Map<String, Value>>,
}

/// A view's test.
#[derive(Debug)]
pub struct Case {
    view: String,
    file: String,
    /// Events in order, each one row.
    given: Vec<(String, RecordBatch)>,
    expect: Vec<Map<String, Value>>,
}

impl Case {
    /// The case that lies beside view `name`.
    ///
    /// # Errors
    /// [`Error::Case`] when there is none or it can't be read.
    pub fn load(registry: &Registry, name: &str) -> Result<Self> {
        let view = registry.get(name)?;
        let file = format!("{}/{name}.test.toml", view.area);
        let missing = || Error::Case {
            file: file.clone(),
            problem: "there is no such file: every view has a test".to_owned(),
        };
        let text = embedded(&file).ok_or_else(missing)?;
        Self::parse(registry, name, &file, &text)
    }

    /// A case of view `name` from `text`.
    ///
    /// # Errors
    /// [`Error::Case`].
    pub fn parse(registry: &Registry, name: &str, file: &str, text: &str) -> Result<Self> {
        let refused = |problem: String| Error::Case { file: file.to_owned(), problem };
        let read: File = toml::from_str(text).map_err(|error| refused(error.to_string()))?;
        let mut given = Vec::with_capacity(read.given.len());
        for (index, mut row) in read.given.into_iter().enumerate() {
            let event = row.remove("event").and_then(|event| event.as_str().map(str::to_owned));
            let event =
                event.ok_or_else(|| refused(format!("given {} names no event", index + 1)))?;
            let schema = registry
                .events()
                .get(&event)
                .ok_or_else(|| refused(format!("there is no event relation {event}")))?;
            row.entry("position").or_insert(json!(index + 1));
            let row = completed(schema.fields(), row).map_err(&refused)?;
            let batch = decode(schema, &[row]).map_err(|error| refused(error.to_string()))?;
            given.push((event, batch));
        }
        Ok(Self { view: name.to_owned(), file: file.to_owned(), given, expect: read.expect })
    }

    /// Runs the case.
    ///
    /// # Errors
    /// [`Error::Case`] with expected and found rows where they differ.
    pub async fn run(&self, registry: &Registry) -> Result<()> {
        let view = registry.get(&self.view)?;
        let one_by_one: Vec<Vec<usize>> = (0..self.given.len()).map(|index| vec![index]).collect();
        let at_once = vec![(0..self.given.len()).collect()];
        let slow = self.engine(registry, &one_by_one)?;
        let fast = self.engine(registry, &at_once)?;
        let mut tables = batch::Tables::new();
        for (event, row) in &self.given {
            tables.entry(event.clone()).or_default().push(row.clone());
        }
        let whole = lines(&batch::answer(registry, &self.view, &tables).await?, None)?;
        self.same("batch SQL", &whole, "one event per epoch", &lines(&slow, None)?)?;
        self.same("batch SQL", &whole, "all events in one epoch", &lines(&fast, None)?)?;

        let mut names: Vec<String> = self.expect.iter().flat_map(Map::keys).cloned().collect();
        names.sort();
        names.dedup();
        let expected = self.expected(&view.schema, &names)?;
        let found = lines(&slow, Some(&names))?;
        self.same("expected", &lines(&[expected], Some(&names))?, "found", &found)
    }

    /// Rows of the view after the events went through the engine in `epochs`.
    fn engine(&self, registry: &Registry, epochs: &[Vec<usize>]) -> Result<Vec<RecordBatch>> {
        let mut engine = Engine::new(EngineConfig::default())?;
        for relation in registry.relations() {
            engine.create_relation(relation)?;
        }
        let wanted: Vec<String> =
            registry.closure(&self.view)?.iter().map(|view| view.name.clone()).collect();
        for mut view in registry.definitions().into_iter().filter(|v| wanted.contains(&v.name)) {
            view.materialize = view.name == self.view;
            engine.create_view(view)?;
        }
        for (number, epoch) in (1..).zip(epochs) {
            let inputs = epoch.iter().map(|index| {
                let (event, row) = &self.given[*index];
                (event.clone(), Delta::inserts(row.clone()))
            });
            let changes = engine.step(Epoch {
                number,
                cut: Cut::from_iter([("position", number)]),
                inputs: inputs.collect(),
                now: DateTime::UNIX_EPOCH,
            })?;
            if let Some(stopped) = changes.stopped.first() {
                let problem = format!("view {} stopped: {}", stopped.view, stopped.reason);
                return Err(Error::Case { file: self.file.clone(), problem });
            }
        }
        Ok(engine.snapshot(&self.view)?.batches()?)
    }

    fn expected(&self, schema: &SchemaRef, names: &[String]) -> Result<RecordBatch> {
        let refused = |problem: String| Error::Case { file: self.file.clone(), problem };
        let mut fields = Vec::with_capacity(names.len());
        for name in names {
            let field = schema.field_with_name(name);
            let field = field.map_err(|_| refused(format!("the view has no column {name}")))?;
            fields.push(field.clone().with_nullable(true));
        }
        let rows: Vec<Value> = self.expect.iter().map(|row| Value::Object(row.clone())).collect();
        decode(&Schema::new(fields).into(), &rows).map_err(|error| refused(error.to_string()))
    }

    fn same(&self, one: &str, left: &[String], other: &str, right: &[String]) -> Result<()> {
        if left == right {
            return Ok(());
        }
        let problem = format!(
            "rows differ\n{one}:\n  {}\n{other}:\n  {}",
            left.join("\n  "),
            right.join("\n  ")
        );
        Err(Error::Case { file: self.file.clone(), problem })
    }
}

/// `row` with what it leaves out: null where allowed, else empty or zero.
fn completed(
    fields: &arrow::datatypes::Fields,
    mut row: Map<String, Value>,
) -> Result<Value, String> {
    let mut whole = Map::new();
    for field in fields {
        let value = match row.remove(field.name()) {
            Some(value) => completed_value(field.data_type(), value)?,
            None if field.is_nullable() => Value::Null,
            None => empty(field.data_type()),
        };
        whole.insert(field.name().clone(), value);
    }
    match row.keys().next() {
        Some(name) => Err(format!("{name} is no column; there are {:?}", whole.keys())),
        None => Ok(Value::Object(whole)),
    }
}

fn completed_value(data_type: &DataType, value: Value) -> Result<Value, String> {
    match (data_type, value) {
        (DataType::List(item), Value::Array(values)) => {
            let values = values.into_iter().map(|value| completed_value(item.data_type(), value));
            Ok(Value::Array(values.collect::<Result<_, _>>()?))
        }
        (DataType::Struct(fields), Value::Object(row)) => completed(fields, row),
        (_, value) => Ok(value),
    }
}

fn empty(data_type: &DataType) -> Value {
    match data_type {
        DataType::Utf8 => json!(""),
        DataType::Boolean => json!(false),
        DataType::Date32 => json!("1970-01-01"),
        DataType::Timestamp(TimeUnit::Microsecond, _) => json!("1970-01-01T00:00:00Z"),
        DataType::List(_) => json!([]),
        _ => json!(0),
    }
}

fn decode(schema: &SchemaRef, rows: &[Value]) -> Result<RecordBatch> {
    let mut text = Vec::new();
    for row in rows {
        text.extend(row.to_string().into_bytes());
        text.push(b'\n');
    }
    let reader = ReaderBuilder::new(Arc::clone(schema)).build(Cursor::new(text))?;
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>()?;
    Ok(concat_batches(schema, &batches)?)
}

/// Rows as sorted text, by `names` or all columns.
pub(crate) fn lines(batches: &[RecordBatch], names: Option<&[String]>) -> Result<Vec<String>> {
    let options = FormatOptions::default().with_null("null");
    let mut lines = Vec::new();
    for batch in batches {
        let mut columns: Vec<(&Field, ArrayFormatter<'_>)> = Vec::new();
        let schema = batch.schema_ref();
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if names.is_none_or(|names| names.contains(field.name())) {
                columns.push((field, ArrayFormatter::try_new(column.as_ref(), &options)?));
            }
        }
        columns.sort_by_key(|(field, _)| field.name().clone());
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns
                .iter()
                .map(|(field, cell)| format!("{}={}", field.name(), cell.value(row)))
                .collect();
            lines.push(cells.join(" "));
        }
    }
    lines.sort();
    Ok(lines)
}
