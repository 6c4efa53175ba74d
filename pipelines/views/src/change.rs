//! A view's change in one epoch, told by key.

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::kernels::cmp::not_distinct;
use arrow::compute::take_record_batch;
use arrow::row::{RowConverter, SortField};
use chrono::{DateTime, Utc};
use hashbrown::HashSet;
use millrace_engine::Delta;
use millrace_events::Position;

use crate::Result;

/// What one epoch changed in a view with a key. No key is in both parts.
#[derive(Clone, Debug)]
pub struct ViewChange {
    pub epoch: u64,
    pub position: Position,
    /// Commit time of the newest event included; none before the first event.
    pub as_of: Option<DateTime<Utc>>,
    /// Rows that are new or have changed, as they are now.
    pub upserts: RecordBatch,
    /// Rows that are gone, as they were.
    pub deletes: RecordBatch,
}

impl ViewChange {
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.upserts.num_rows() + self.deletes.num_rows()
    }
}

/// Splits a consolidated delta of a view with `key` into (upserts, deletes).
pub(crate) fn by_key(delta: &Delta, key: &[String]) -> Result<(RecordBatch, RecordBatch)> {
    let rows = &delta.batch;
    let (mut came, mut went): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    for row in 0..delta.num_rows() {
        let list = if delta.weight(row) > 0 { &mut came } else { &mut went };
        list.push(u32::try_from(row).expect("an epoch's delta has less than 2^32 rows"));
    }
    if went.is_empty() {
        return Ok((rows.clone(), rows.slice(0, 0)));
    }
    let columns: Vec<ArrayRef> =
        key.iter().filter_map(|name| rows.column_by_name(name).cloned()).collect();
    let paired = paired_rows(&columns, &went, &came)?;
    let rest = went.split_off(paired);
    went = if rest.is_empty() { rest } else { unmatched(&columns, rest, &came[paired..])? };
    // The engine puts rows that go first: mostly the others are the rest of the batch.
    let upserts = match (came.first(), came.last()) {
        (Some(first), Some(last)) if (last - first) as usize == came.len() - 1 => {
            rows.slice(*first as usize, came.len())
        }
        _ => take_record_batch(rows, &UInt32Array::from(came))?,
    };
    let deletes = take_record_batch(rows, &UInt32Array::from(went))?;
    Ok((upserts, deletes))
}

/// How many of the first rows that went have the same keys as the first that came: mostly rows have only
/// changed, and then both stand in the same order.
fn paired_rows(columns: &[ArrayRef], went: &[u32], came: &[u32]) -> Result<usize> {
    let length = went.len().min(came.len());
    let is_run =
        |rows: &[u32]| rows.last().is_none_or(|last| (last - rows[0]) as usize == length - 1);
    let (went, came) = (&went[..length], &came[..length]);
    if length == 0 || !is_run(went) || !is_run(came) {
        return Ok(0);
    }
    let (went, came) = (went[0] as usize, came[0] as usize);
    columns.iter().try_fold(length, |length, column| {
        let same = not_distinct(&column.slice(went, length), &column.slice(came, length))?;
        Ok(same.values().iter().position(|is_same| !is_same).unwrap_or(length))
    })
}

/// The rows of `went` whose keys none of `came` has.
fn unmatched(columns: &[ArrayRef], mut went: Vec<u32>, came: &[u32]) -> Result<Vec<u32>> {
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let keys = RowConverter::new(fields)?.convert_columns(columns)?;
    let mut present = HashSet::with_capacity(came.len());
    present.extend(came.iter().map(|row| keys.row(*row as usize)));
    went.retain(|row| !present.contains(&keys.row(*row as usize)));
    Ok(went)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[test]
    fn an_update_is_an_upsert_and_a_changed_key_a_delete_besides() {
        let keys: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a", "c"]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 10, 20]));
        let batch = RecordBatch::try_from_iter([("k", keys), ("n", numbers)]).unwrap();
        let delta = Delta::weighted(batch, vec![-1, -1, 1, 1]);
        let (upserts, deletes) = by_key(&delta, &["k".to_owned()]).unwrap();
        assert_eq!(upserts.column(1).as_ref(), &Int64Array::from(vec![10, 20]));
        assert_eq!(deletes.column(1).as_ref(), &Int64Array::from(vec![2]));
    }

    #[test]
    fn rows_told_in_the_same_order_are_paired_and_the_rest_is_looked_up() {
        let change = |went: &[&str], came: &[&str]| {
            let names: ArrayRef = Arc::new(StringArray::from([went, came].concat()));
            let batch = RecordBatch::try_from_iter([("k", names)]).unwrap();
            let weights = went.iter().map(|_| -1).chain(came.iter().map(|_| 1)).collect();
            let delta = Delta::weighted(batch, weights);
            let (upserts, deletes) = by_key(&delta, &["k".to_owned()]).unwrap();
            let told = |rows: &RecordBatch| -> Vec<String> {
                let names = rows.column(0).as_any().downcast_ref::<StringArray>().unwrap();
                names.iter().flatten().map(str::to_owned).collect()
            };
            assert_eq!(told(&upserts), came);
            told(&deletes)
        };
        assert_eq!(change(&["a", "b"], &["a", "b", "c"]), [""; 0]);
        assert_eq!(change(&["a", "b", "x"], &["a", "b", "c"]), ["x"]);
        assert_eq!(change(&["a", "x", "b"], &["a", "b"]), ["x"]);
        assert_eq!(change(&["b", "a"], &["a", "b"]), [""; 0]);
        assert_eq!(change(&["a", "b"], &[]), ["a", "b"]);
    }
}
