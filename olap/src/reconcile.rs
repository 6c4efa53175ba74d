//! OLP-1: a mart holds exactly what its view holds.

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use hashbrown::HashMap;
use serde::Serialize;

use crate::ddl::{WEIGHT, quote};
use crate::{Clickhouse, Error, MartKind, MartSpec, Result};

/// Rows named in a difference, at most.
const ROWS_NAMED_MAX: usize = 20;

/// How a mart differs from its view.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub view_rows: i64,
    pub mart_rows: i64,
    /// Rows the view has and the mart lacks, as text; at most 20.
    pub missing: Vec<String>,
    /// Rows the mart has and the view lacks, as text; at most 20.
    pub surplus: Vec<String>,
}

impl Difference {
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.missing.is_empty() && self.surplus.is_empty() && self.view_rows == self.mart_rows
    }
}

/// What ClickHouse holds of a mart: its columns, and the weight in a history mart.
///
/// # Errors
/// [`Error::Clickhouse`].
pub async fn held(
    clickhouse: &Clickhouse,
    database: &str,
    mart: &MartSpec,
) -> Result<Vec<RecordBatch>> {
    let names: Vec<String> = mart.schema.fields().iter().map(|f| quote(f.name())).collect();
    let columns = names.join(", ");
    let table = format!("{}.{}", quote(database), quote(&mart.name));
    let sql = match mart.kind {
        MartKind::History => format!("select {columns}, {WEIGHT} from {table}"),
        MartKind::Current | MartKind::Raw => format!("select {columns} from {table} final"),
    };
    clickhouse.select(&format!("read mart {}", mart.name), &sql).await
}

/// Compares what ClickHouse [held] with the view's rows at the same position, row by row.
///
/// # Errors
/// [`Error::Columns`] when the table's columns are others.
pub fn compare(mart: &MartSpec, held: &[RecordBatch], view: &[RecordBatch]) -> Result<Difference> {
    let mut counts = Counts::new(&mart.name, &mart.schema)?;
    for rows in view {
        counts.add(rows, None, 1)?;
    }
    for rows in held {
        let weights = (mart.kind == MartKind::History)
            .then(|| {
                cast(rows.column(mart.schema.fields().len()), &arrow::datatypes::DataType::Int64)
            })
            .transpose()?;
        counts.add(rows, weights.as_ref(), -1)?;
    }
    counts.difference()
}

/// How the rows of `found` differ from those of `expected`, both with `schema`'s columns.
///
/// # Errors
/// The columns are others.
pub fn difference(
    schema: &SchemaRef,
    found: &[RecordBatch],
    expected: &[RecordBatch],
) -> Result<Difference> {
    let mut counts = Counts::new("rows", schema)?;
    found.iter().try_for_each(|rows| counts.add(rows, None, 1))?;
    expected.iter().try_for_each(|rows| counts.add(rows, None, -1))?;
    counts.difference()
}

/// Row → how many more the view has than the mart.
struct Counts<'a> {
    name: &'a str,
    schema: &'a SchemaRef,
    converter: RowConverter,
    rows: HashMap<OwnedRow, i64>,
    view_rows: i64,
    mart_rows: i64,
}

impl<'a> Counts<'a> {
    fn new(name: &'a str, schema: &'a SchemaRef) -> Result<Self> {
        let fields = schema.fields().iter();
        let fields = fields.map(|field| SortField::new(field.data_type().clone())).collect();
        let converter = RowConverter::new(fields)?;
        Ok(Self { name, schema, converter, rows: HashMap::new(), view_rows: 0, mart_rows: 0 })
    }

    fn add(&mut self, rows: &RecordBatch, weights: Option<&ArrayRef>, sign: i64) -> Result<()> {
        let columns = conform(self.name, self.schema, rows)?;
        let encoded = self.converter.convert_columns(&columns)?;
        let weights = weights.map(|weights| {
            use arrow::array::AsArray;
            weights.as_primitive::<arrow::datatypes::Int64Type>().clone()
        });
        for (index, row) in encoded.iter().enumerate() {
            let weight = weights.as_ref().map_or(1, |weights| weights.value(index));
            *self.rows.entry(row.owned()).or_default() += sign * weight;
            if sign > 0 { self.view_rows += weight } else { self.mart_rows += weight }
        }
        Ok(())
    }

    fn difference(self) -> Result<Difference> {
        let Self { schema, converter, rows, view_rows, mart_rows, .. } = self;
        let mut found = Difference { view_rows, mart_rows, ..Difference::default() };
        let mut differing: Vec<(OwnedRow, i64)> =
            rows.into_iter().filter(|(_, count)| *count != 0).collect();
        differing.sort();
        for (row, count) in differing {
            let named = if count > 0 { &mut found.missing } else { &mut found.surplus };
            if named.len() < ROWS_NAMED_MAX {
                named.push(shown(schema, &converter, &row)?);
            }
        }
        Ok(found)
    }
}

fn conform(name: &str, schema: &SchemaRef, rows: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let fields = schema.fields();
    if rows.num_columns() < fields.len() {
        let problem = format!("{} columns instead of {}", rows.num_columns(), fields.len());
        return Err(Error::Columns { mart: name.to_owned(), problem });
    }
    let pairs = rows.columns().iter().zip(fields);
    Ok(pairs.map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>()?)
}

fn shown(schema: &SchemaRef, converter: &RowConverter, row: &OwnedRow) -> Result<String> {
    let columns = converter.convert_rows([row.row()])?;
    let options = FormatOptions::default();
    let mut parts = Vec::with_capacity(columns.len());
    for (column, field) in columns.iter().zip(schema.fields()) {
        let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
        let value =
            if column.is_null(0) { "null".to_owned() } else { formatter.value(0).to_string() };
        parts.push(format!("{}={value}", field.name()));
    }
    Ok(parts.join(" "))
}
