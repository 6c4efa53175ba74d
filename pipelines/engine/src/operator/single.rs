//! The value of a scalar subquery: always one row.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::error::DataFusionError;

use super::output::show_row;
use super::{Change, Operator};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{concat, consolidate, new_batch};
use crate::{Delta, Error, Result};

/// Gives the input's row, or nulls while it has none. More than one row is an error, as in batch SQL.
#[derive(Debug)]
pub(crate) struct SingleRow {
    schema: SchemaRef,
    /// The input's row, if it has one.
    row: RecordBatch,
    has_started: bool,
}

impl SingleRow {
    pub fn new(schema: SchemaRef) -> Self {
        Self { row: RecordBatch::new_empty(Arc::clone(&schema)), schema, has_started: false }
    }

    /// The row given out.
    fn given(&self) -> Result<RecordBatch> {
        if self.row.num_rows() == 1 {
            return Ok(self.row.clone());
        }
        let fields = self.schema.fields().iter();
        let nulls = fields.map(|field| new_null_array(field.data_type(), 1)).collect();
        new_batch(&self.schema, nulls, 1)
    }
}

impl Operator for SingleRow {
    fn class(&self) -> &'static str {
        "single row"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let given = self.has_started.then(|| self.given()).transpose()?;
        let mut rows = vec![Delta::inserts(self.row.clone())];
        rows.extend(inputs[0].iter().cloned());
        let rows = consolidate(concat(&self.schema, rows)?)?;
        if let Some(row) = (0..rows.num_rows()).find(|row| rows.weight(*row) < 0) {
            let row = show_row(&rows.batch, row);
            return Err(Error::MissingRow { place: "scalar subquery".to_owned(), row });
        }
        let count: i64 = (0..rows.num_rows()).map(|row| rows.weight(row)).sum();
        if count > 1 {
            let problem = format!(
                "a scalar subquery gave {count} rows, such as {}; aggregate it to one",
                show_row(&rows.batch, 0)
            );
            return Err(DataFusionError::Execution(problem).into());
        }
        self.row = new_batch(&self.schema, rows.batch.columns().to_vec(), rows.num_rows())?;
        self.has_started = true;
        let comes = Delta::inserts(self.given()?);
        let Some(given) = given else { return Ok(vec![comes]) };
        let change = consolidate(concat(&self.schema, vec![Delta::deletes(given), comes])?)?;
        Ok(if change.is_empty() { Vec::new() } else { vec![change] })
    }

    fn state_rows(&self) -> usize {
        self.row.num_rows()
    }

    fn state_bytes(&self) -> usize {
        self.row.get_array_memory_size()
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        let rows = self.row.num_rows();
        // The empty key stands in front, as that of any group.
        let key = BinaryArray::from_iter_values(std::iter::repeat_n([], rows));
        let key_field = Field::new("key", DataType::Binary, false);
        let fields =
            std::iter::once(Arc::new(key_field)).chain(self.schema.fields().iter().cloned());
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let columns = std::iter::once(Arc::new(key) as ArrayRef).chain(self.row.columns().to_vec());
        let batch = new_batch(&schema, columns.collect(), rows)?;
        pieces.put_groups(rows, None, |_| Ok(batch.clone()))
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        for saved in pieces.groups(|_| Ok(Vec::new()))? {
            let rows = saved.batch.num_rows();
            if rows > 0 {
                let columns = saved.batch.columns()[1..].to_vec();
                self.row = new_batch(&self.schema, columns, rows)?;
            }
        }
        self.has_started = true;
        Ok(())
    }
}
