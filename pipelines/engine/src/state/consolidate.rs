//! Summing up equal rows of a change.

use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;

use super::{KeyTable, take_rows};
use crate::{Delta, Result};

/// Several changes of one relation as one.
pub(crate) fn concat(schema: &SchemaRef, mut deltas: Vec<Delta>) -> Result<Delta> {
    if deltas.len() == 1 {
        return Ok(deltas.swap_remove(0));
    }
    let batch = concat_batches(schema, deltas.iter().map(|delta| &delta.batch))?;
    if deltas.iter().all(|delta| delta.weights.is_none()) {
        return Ok(Delta::inserts(batch));
    }
    let mut weights = Vec::with_capacity(batch.num_rows());
    for delta in &deltas {
        match delta.weight_values() {
            Some(values) => weights.extend_from_slice(values),
            None => weights.resize(weights.len() + delta.num_rows(), 1),
        }
    }
    Ok(Delta::weighted(batch, weights))
}

/// The change with equal rows summed up and none of weight 0; rows that go stand first.
pub(crate) fn consolidate(delta: Delta) -> Result<Delta> {
    let Some(weights) = delta.weight_values() else { return Ok(delta) };
    if weights.iter().all(|weight| *weight == 1) {
        return Ok(Delta::inserts(delta.batch));
    }
    let types =
        delta.batch.schema_ref().fields().iter().map(|field| field.data_type().clone()).collect();
    let mut rows = KeyTable::new(types)?;
    let encoded = rows.encode(delta.batch.columns(), delta.num_rows())?;
    let mut first_rows: Vec<u32> = Vec::new();
    let mut sums: Vec<i64> = Vec::new();
    for (row, id) in rows.insert_all(&encoded).into_iter().enumerate() {
        if id as usize == sums.len() {
            first_rows.push(row as u32);
            sums.push(0);
        }
        sums[id as usize] += weights[row];
    }
    let going = (0..sums.len()).filter(|id| sums[*id] < 0);
    let coming = (0..sums.len()).filter(|id| sums[*id] > 0);
    let order: Vec<usize> = going.chain(coming).collect();
    let batch = take_rows(&delta.batch, order.iter().map(|id| first_rows[*id]).collect())?;
    let weights: Vec<i64> = order.iter().map(|id| sums[*id]).collect();
    if weights.iter().all(|weight| *weight == 1) {
        return Ok(Delta::inserts(batch));
    }
    Ok(Delta::weighted(batch, weights))
}
