//! What a join is made of.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;

/// When a row of one side is given out without a partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lone {
    Never,
    /// With no match: outer and anti joins.
    Unmatched,
    /// With at least one match: semi joins.
    Matched,
    /// Always, with a flag that says whether it has a match: mark joins.
    Marked,
}

impl Lone {
    pub(super) fn is_given(self, matches: i64) -> bool {
        match self {
            Self::Never => false,
            Self::Unmatched => matches == 0,
            Self::Matched => matches > 0,
            Self::Marked => true,
        }
    }
}

/// One input of a join.
#[derive(Debug, Clone)]
pub(crate) struct JoinSide {
    pub schema: SchemaRef,
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    /// Columns that identify a row, where such are known.
    pub unique: Option<Vec<usize>>,
    pub lone: Lone,
}

impl JoinSide {
    /// Whether rows with equal keys are equal in `columns`.
    pub(super) fn has_keys_that_include(&self, columns: &[usize]) -> bool {
        columns.iter().all(|column| {
            let mut keys = self.keys.iter().filter_map(|key| key.downcast_ref::<Column>());
            keys.any(|key| key.index() == *column)
        })
    }
}

/// A join to be made.
#[derive(Debug, Clone)]
pub(crate) struct JoinSpec {
    /// Left columns, then right columns; only one side's where `gives_pairs` is unset, with a flag behind
    /// them where it is [`Lone::Marked`].
    pub schema: SchemaRef,
    pub sides: [JoinSide; 2],
    /// A further condition, over left columns followed by right columns.
    pub condition: Option<Arc<dyn PhysicalExpr>>,
    /// Columns the condition sees.
    pub pair_schema: SchemaRef,
    /// Whether matching rows are given out side by side.
    pub gives_pairs: bool,
    /// Whether null equals null.
    pub null_equals_null: bool,
    /// Pairs worked on at once, at most.
    pub batch_rows_max: usize,
    /// Bytes given out in one epoch, at most.
    pub output_bytes_max: usize,
}
