//! One operator per plan node. Each takes the changes of its inputs and gives the change of its output.

mod aggregate;
mod constant;
mod filter;
mod join;
mod map;
mod output;
mod recompute;
mod single;
mod sorted;
mod source;
mod threshold;
mod top;
mod union;
mod unkeyed;
mod unnest;
mod window;

pub(crate) use aggregate::{
    Aggregate, AggregateCall, AggregateSpec, Function, Moments, Partition, PartitionArgument, Pick,
    Statistic, average_input, can_sum,
};
pub(crate) use constant::Constant;
pub(crate) use filter::Filter;
pub(crate) use join::{Join, JoinSide, JoinSpec, Lone};
pub(crate) use map::Map;
pub(crate) use output::Output;
pub(crate) use recompute::{Recompute, RecomputeSpec, execute, input_name};
pub(crate) use single::SingleRow;
pub(crate) use sorted::SortedSpec;
pub(crate) use source::Source;
pub(crate) use threshold::{Comparison, Threshold, ThresholdSpec};
pub(crate) use top::{Ranking, Top, TopSpec};
pub(crate) use union::Union;
pub(crate) use unnest::{Unnest, UnnestList, UnnestSpec};
pub(crate) use window::{
    Partitions, PartitionsSpec, Running, RunningSpec, Shift, ShiftCall, ShiftSpec, Total, TotalCall,
};

use std::ops::Deref;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::physical_expr::PhysicalExpr;

use crate::checkpoint::{PieceReader, PieceWriter};
use crate::snapshot::SnapshotChunk;
use crate::state::{concat, consolidate};
use crate::{Delta, Result};

/// One input's change of an epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'a> {
    pub deltas: &'a [Delta],
    /// Whether it is known to hold no row together with its opposite.
    pub is_consolidated: bool,
}

impl Deref for Change<'_> {
    type Target = [Delta];

    fn deref(&self) -> &[Delta] {
        self.deltas
    }
}

/// A node of the graph at work.
pub(crate) trait Operator: Send {
    /// How it is kept true, for `explain`.
    fn class(&self) -> &'static str;

    /// Pushes the changes of all inputs of one epoch through. Called once with no changes at all when the
    /// operator is new, so that a global aggregate can give its row.
    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>>;

    /// The whole output, where the operator keeps it.
    fn rows(&self) -> Option<Result<Vec<Delta>>> {
        None
    }

    /// Whether [`Self::rows`] gives any, which may be costly to ask.
    fn keeps_rows(&self) -> bool {
        self.rows().is_some()
    }

    /// Whether what it gives may depend on the order in which its rows came, as sums of floats do.
    fn depends_on_order(&self) -> bool {
        false
    }

    /// The rows as shared chunks, where the operator is a view that keeps them.
    fn snapshot(&self) -> Option<Vec<SnapshotChunk>> {
        None
    }

    /// Rows or groups kept.
    fn state_rows(&self) -> usize {
        0
    }

    /// Bytes kept.
    fn state_bytes(&self) -> usize {
        0
    }

    /// Hands over what changed since the last checkpoint.
    fn save(&mut self, _pieces: &mut PieceWriter<'_>) -> Result<()> {
        Ok(())
    }

    /// Takes the state of a checkpoint into a new operator.
    fn load(&mut self, _pieces: &PieceReader<'_>) -> Result<()> {
        Ok(())
    }
}

/// Computes `each` over the changes. Where that fails on data it is tried again over their sum: a row that
/// comes and goes in one epoch never stood anywhere, and must not stop a view.
pub(crate) fn over_changes(
    change: &Change<'_>,
    each: impl Fn(&[Delta]) -> Result<Vec<Delta>>,
) -> Result<Vec<Delta>> {
    let outcome = each(change.deltas);
    match (&outcome, change.deltas.first()) {
        (Err(_), Some(first)) if !change.is_consolidated => {
            each(&[consolidate(concat(&first.schema(), change.deltas.to_vec())?)?])
        }
        _ => outcome,
    }
}

/// The values of `expressions` for each row of `batch`.
pub(crate) fn evaluate(
    expressions: &[Arc<dyn PhysicalExpr>],
    batch: &RecordBatch,
) -> Result<Vec<ArrayRef>> {
    expressions
        .iter()
        .map(|expression| Ok(expression.evaluate(batch)?.into_array(batch.num_rows())?))
        .collect()
}
