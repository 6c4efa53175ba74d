//! What every function keeps of its groups.

use arrow::array::ArrayRef;

use super::{AggregateCall, Function, count, extreme, moments, ordered, partition, sum};
use crate::Result;

/// State of one call for all groups, in vectors by group id.
pub(super) trait GroupState: Send {
    /// Makes room for ids below `groups`.
    fn grow(&mut self, groups: usize);
    /// Keeps what the groups hold now, to be compared and taken back later in the epoch.
    fn remember(&mut self, ids: &[u32]);
    /// Takes in rows: `ids[row]` is the group, weight 0 means the row is not looked at.
    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()>;
    /// All rows of the epoch are in: computes what is not kept up with each row.
    fn finish(&mut self, _ids: &[u32]) -> Result<()> {
        Ok(())
    }
    /// Sets `changed[at]` where the group remembered at `at` now holds something else.
    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]);
    /// Result columns: first of the groups remembered at `old`, then of `new` ids as they are now.
    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>>;
    /// Forgets what was remembered of the groups `ids`; the epoch is over.
    fn settle(&mut self, ids: &[u32]);
    /// Resets a group that has died.
    fn reset(&mut self, id: u32);
    /// State of the groups as columns, for a checkpoint.
    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>>;
    /// Takes back what [`Self::save`] gave and returns how many columns it was.
    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize>;
    /// Bytes held.
    fn state_bytes(&self) -> usize;
}

/// State for a call without any group.
pub(super) fn state_of(call: &AggregateCall, append_only: bool) -> Result<Box<dyn GroupState>> {
    Ok(match &call.function {
        Function::Count => Box::new(count::Count::default()),
        Function::Sum { input, output } => sum::sum(input, output.clone()),
        Function::Average { input, output } => sum::average(input, output.clone()),
        Function::Moments(moments) => Box::new(moments::Sums::new(*moments)),
        Function::Pick(pick) => {
            let plain = match pick.arguments.as_slice() {
                [(data_type, _)] if pick.skips_nulls => {
                    extreme::extreme(data_type, pick.is_last, append_only)
                }
                _ => None,
            };
            match plain {
                Some(state) => state,
                None => Box::new(ordered::Ordered::new(pick.clone(), append_only)?),
            }
        }
        Function::Partition(call) => Box::new(partition::Gathered::new(call.clone())?),
    })
}

/// `old` of what was remembered, then `new` of what is.
pub(super) fn old_then_new<T: Copy>(
    remembered: &[T],
    current: &[T],
    old: &[u32],
    new: &[u32],
) -> Vec<T> {
    let old = old.iter().map(|at| remembered[*at as usize]);
    old.chain(new.iter().map(|id| current[*id as usize])).collect()
}
