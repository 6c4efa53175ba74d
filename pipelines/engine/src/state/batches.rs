//! Batches that may have no columns at all, as under `count(*)`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::SchemaRef;

use crate::Result;

/// A batch of `rows` rows.
pub(crate) fn new_batch(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options =
        RecordBatchOptions::new().with_row_count(Some(rows)).with_match_field_names(false);
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// The columns of `batch` at `places`.
pub(crate) fn columns_at(batch: &RecordBatch, places: &[usize]) -> Vec<ArrayRef> {
    places.iter().map(|place| Arc::clone(batch.column(*place))).collect()
}

/// The named rows of `batch`, in that order.
pub(crate) fn take_rows(batch: &RecordBatch, rows: Vec<u32>) -> Result<RecordBatch> {
    let count = rows.len();
    let columns = take_arrays(batch.columns(), &UInt32Array::from(rows), None)?;
    new_batch(batch.schema_ref(), columns, count)
}
