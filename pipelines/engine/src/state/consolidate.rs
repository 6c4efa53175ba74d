//! Summing up equal rows of a change.

use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::concat_batches;
use arrow::compute::kernels::cmp::not_distinct;
use arrow::datatypes::SchemaRef;

use super::{KeyTable, NONE, RowEncoding, columns_at, take_rows};
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

/// The change with the rows that go before those that come.
pub(crate) fn going_first(delta: Delta) -> Result<Delta> {
    let Some(weights) = delta.weight_values() else { return Ok(delta) };
    if weights.is_sorted_by_key(|weight| *weight > 0) {
        return Ok(delta);
    }
    let rows = 0..weights.len() as u32;
    let (mut order, coming): (Vec<u32>, Vec<u32>) =
        rows.partition(|row| weights[*row as usize] < 0);
    order.extend(coming);
    let weights = order.iter().map(|row| weights[*row as usize]).collect();
    Ok(Delta::weighted(take_rows(&delta.batch, order)?, weights))
}

/// The change with equal rows summed up and none of weight 0; rows that go stand first.
pub(crate) fn consolidate(delta: Delta) -> Result<Delta> {
    let Some(weights) = delta.weight_values() else { return Ok(delta) };
    if weights.iter().all(|weight| *weight == 1) {
        return Ok(Delta::inserts(delta.batch));
    }
    let types =
        delta.batch.schema_ref().fields().iter().map(|field| field.data_type().clone()).collect();
    let mut rows = KeyTable::with_capacity(types, delta.num_rows())?;
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

/// As [`consolidate`], for a relation whose rows are identified by the columns `key`. Mostly a key has
/// one row that goes and one that comes, and then only the key has to be looked up, not the row.
pub(crate) fn consolidate_by_key(delta: Delta, key: &[usize]) -> Result<Delta> {
    let Some(weights) = delta.weight_values() else { return Ok(delta) };
    if weights.iter().all(|weight| *weight == 1) {
        return Ok(Delta::inserts(delta.batch));
    }
    let columns = columns_at(&delta.batch, key);
    let types = columns.iter().map(|column| column.data_type().clone()).collect();
    let mut keys = KeyTable::with_capacity(types, delta.num_rows())?;
    let encoded = keys.encode(&columns, delta.num_rows())?;
    let ids = keys.insert_all(&encoded);
    let (mut going, mut coming) = (vec![NONE; keys.slots()], vec![NONE; keys.slots()]);
    for (row, (id, weight)) in ids.iter().zip(weights).enumerate() {
        let side = match weight {
            1 => &mut coming[*id as usize],
            -1 => &mut going[*id as usize],
            _ => return consolidate(delta),
        };
        // A row that came and went again within the epoch: rows have to be compared.
        if *side != NONE {
            return consolidate(delta);
        }
        *side = row as u32;
    }
    let pairs = || going.iter().zip(&coming).filter(|(old, new)| **old != NONE && **new != NONE);
    let (old, new): (Vec<u32>, Vec<u32>) = pairs().map(|(old, new)| (*old, *new)).unzip();
    let same = equal_rows(&delta.batch, &old, &new)?;
    let changed = |rows: &[u32]| -> Vec<u32> {
        rows.iter().enumerate().filter(|(at, _)| !same.value(*at)).map(|(_, row)| *row).collect()
    };
    let alone = |side: &[u32], other: &[u32]| -> Vec<u32> {
        let rows = side.iter().zip(other).filter(|(row, none)| **row != NONE && **none == NONE);
        rows.map(|(row, _)| *row).collect()
    };
    let mut order = changed(&old);
    order.extend(alone(&going, &coming));
    let deletes = order.len();
    order.extend(changed(&new));
    order.extend(alone(&coming, &going));
    let mut weights = vec![-1; deletes];
    weights.resize(order.len(), 1);
    let batch = take_rows(&delta.batch, order)?;
    Ok(if deletes == 0 { Delta::inserts(batch) } else { Delta::weighted(batch, weights) })
}

/// Which of the rows `left` equal those of `right`.
fn equal_rows(batch: &RecordBatch, left: &[u32], right: &[u32]) -> Result<BooleanBuffer> {
    if left.is_empty() {
        return Ok(BooleanBuffer::new_unset(0));
    }
    let (left, right) = (take_rows(batch, left.to_vec())?, take_rows(batch, right.to_vec())?);
    let mut same = BooleanArray::from(vec![true; left.num_rows()]);
    for (left, right) in left.columns().iter().zip(right.columns()) {
        if same.true_count() == 0 {
            break;
        }
        same = arrow::compute::and(&same, &equal_values(left, right)?)?;
    }
    Ok(same.values().clone())
}

/// Which values of two columns are equal, nulls among them. Arrow does not compare lists and structs.
pub(crate) fn equal_values(left: &ArrayRef, right: &ArrayRef) -> Result<BooleanArray> {
    if !left.data_type().is_nested() {
        return Ok(not_distinct(left, right)?);
    }
    let encoding = RowEncoding::new(vec![left.data_type().clone()])?;
    let rows = left.len();
    let encode = |column: &ArrayRef| encoding.encode(std::slice::from_ref(column), rows);
    let (left, right) = (encode(left)?, encode(right)?);
    Ok((0..rows).map(|row| Some(left.row(row) == right.row(row))).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn delta(rows: &[(&str, i64, i64)]) -> Delta {
        let keys: StringArray = rows.iter().map(|row| Some(row.0)).collect();
        let numbers: Int64Array = rows.iter().map(|row| row.1).collect();
        let columns: Vec<(&str, ArrayRef)> =
            vec![("key", Arc::new(keys)), ("number", Arc::new(numbers))];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        Delta::weighted(batch, rows.iter().map(|row| row.2).collect())
    }

    fn rows(delta: &Delta) -> Vec<(String, i64, i64)> {
        let keys = delta.batch.column(0).as_any().downcast_ref::<StringArray>().unwrap();
        let numbers = delta.batch.column(1).as_any().downcast_ref::<Int64Array>().unwrap();
        let row = |row| (keys.value(row).to_owned(), numbers.value(row), delta.weight(row));
        let mut rows: Vec<_> = (0..delta.num_rows()).map(row).collect();
        rows.sort();
        rows
    }

    #[test]
    fn by_key_it_is_the_same_change() {
        for change in [
            vec![("a", 1, -1), ("a", 2, 1), ("b", 3, 1), ("c", 4, -1)],
            vec![("a", 1, 1), ("a", 1, -1), ("b", 2, -1), ("b", 2, 1), ("c", 1, -1), ("c", 9, 1)],
            vec![("a", 1, -1), ("a", 2, 1), ("a", 2, -1), ("a", 3, 1)],
            vec![("a", 1, 2), ("a", 1, -1), ("b", 1, -1)],
            vec![("a", 1, 1), ("b", 2, 1)],
        ] {
            let keyed = consolidate_by_key(delta(&change), &[0]).unwrap();
            assert_eq!(rows(&keyed), rows(&consolidate(delta(&change)).unwrap()), "{change:?}");
            let first_coming = (0..keyed.num_rows()).position(|row| keyed.weight(row) > 0);
            let last_going = (0..keyed.num_rows()).rposition(|row| keyed.weight(row) < 0);
            assert!(last_going < first_coming || first_coming.is_none(), "{change:?}");
        }
    }
}
