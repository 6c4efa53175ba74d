//! A table with the rows it holds in the end.

use std::collections::HashSet;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, SortField};
use arrow::util::display::array_value_to_string;
use millrace_engine::{Relation, RelationKind};

use crate::{Error, Result};

/// A table of a trial: name, columns, final rows, and the key columns if rows have an identity.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) name: String,
    pub(crate) rows: RecordBatch,
    /// Places of the key columns; empty when rows may repeat.
    pub(crate) key: Vec<usize>,
}

impl Table {
    /// A table called `name` (lower case) with these rows. With `key` columns it is fed as upserts.
    ///
    /// # Errors
    /// [`Error::KeyColumn`] and [`Error::DuplicateKey`]; Arrow's, when a batch is not of the schema.
    pub fn new(
        name: impl Into<String>,
        schema: SchemaRef,
        batches: &[RecordBatch],
        key: &[String],
    ) -> Result<Self> {
        let name = name.into();
        let rows = concat_batches(&schema, batches)?;
        let place = |column: &String| {
            schema.index_of(column).map_err(|_| Error::KeyColumn {
                table: name.clone(),
                column: column.clone(),
                columns: columns_of(&schema),
            })
        };
        let key = key.iter().map(place).collect::<Result<Vec<_>>>()?;
        require_unique(&name, &rows, &key)?;
        Ok(Self { name, rows, key })
    }

    /// Its name in SQL.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its columns.
    pub fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }

    /// The number of its rows.
    pub fn num_rows(&self) -> usize {
        self.rows.num_rows()
    }

    /// How the engine is told of it: upserts with a key, appends when no row ever goes, else changes.
    pub(crate) fn relation(&self, rows_go: bool) -> Relation {
        let schema = self.schema();
        let kind = if !self.key.is_empty() {
            let key = self.key.iter().map(|column| schema.field(*column).name().clone()).collect();
            RelationKind::Upsert { key }
        } else if rows_go {
            RelationKind::Changes
        } else {
            RelationKind::Append
        };
        Relation { name: self.name.clone(), schema, kind }
    }
}

fn columns_of(schema: &SchemaRef) -> String {
    schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>().join(", ")
}

fn require_unique(name: &str, rows: &RecordBatch, key: &[usize]) -> Result<()> {
    if key.is_empty() {
        return Ok(());
    }
    let columns: Vec<ArrayRef> = key.iter().map(|column| rows.column(*column).clone()).collect();
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let keys = RowConverter::new(fields)?.convert_columns(&columns)?;
    let mut seen = HashSet::new();
    for (row, value) in keys.iter().enumerate() {
        if !seen.insert(value) {
            let texts = columns.iter().map(|column| array_value_to_string(column, row));
            let schema = rows.schema();
            let names = key.iter().map(|column| schema.field(*column).name().as_str());
            return Err(Error::DuplicateKey {
                table: name.to_owned(),
                key: names.collect::<Vec<_>>().join(", "),
                value: texts.collect::<Result<Vec<_>, _>>()?.join(", "),
            });
        }
    }
    Ok(())
}
