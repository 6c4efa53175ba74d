//! `count(*)` and `count(x, …)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::Int64Type;

use super::group::{GroupState, old_then_new};
use crate::Result;

/// Rows of each group in which no argument is null.
#[derive(Debug, Default)]
pub(super) struct Count {
    counts: Vec<i64>,
    remembered: Vec<i64>,
}

impl GroupState for Count {
    fn grow(&mut self, groups: usize) {
        self.counts.resize(groups, 0);
    }

    fn remember(&mut self, ids: &[u32]) {
        self.remembered.extend(ids.iter().map(|id| self.counts[*id as usize]));
    }

    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let nulls = arguments.iter().fold(None, |nulls, argument| {
            NullBuffer::union(nulls.as_ref(), argument.logical_nulls().as_ref())
        });
        for (row, id) in ids.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                self.counts[*id as usize] += weights.map_or(1, |weights| weights[row]);
            }
        }
        Ok(())
    }

    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]) {
        for (at, id) in ids.iter().enumerate() {
            changed[at] |= self.remembered[at] != self.counts[*id as usize];
        }
    }

    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(Int64Array::from(old_then_new(&self.remembered, &self.counts, old, new)))])
    }

    fn settle(&mut self, _ids: &[u32]) {
        self.remembered.clear();
    }

    fn reset(&mut self, id: u32) {
        self.counts[id as usize] = 0;
    }

    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(Int64Array::from_iter_values(
            ids.iter().map(|id| self.counts[*id as usize]),
        ))])
    }

    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize> {
        let counts = columns[0].as_primitive::<Int64Type>();
        ids.iter().zip(counts.values()).for_each(|(id, count)| self.counts[*id as usize] = *count);
        Ok(1)
    }

    fn state_bytes(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
    }
}
