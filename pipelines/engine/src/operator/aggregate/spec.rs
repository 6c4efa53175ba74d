//! What a grouping is made of.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;

use super::{Moments, Partition, Pick};

/// What is computed per group, with its argument types settled.
#[derive(Debug, Clone)]
pub(crate) enum Function {
    /// Rows in which no argument is null.
    Count,
    /// Sum in the type of the argument (a 64-bit integer, a float, a decimal or a duration), given out as
    /// `output`.
    Sum { input: DataType, output: DataType },
    /// Mean of floats, decimals or durations.
    Average { input: DataType, output: DataType },
    /// Variances, covariances and regressions of exact numbers.
    Moments(Moments),
    /// The first or last row by some order, of which some columns are given out.
    Pick(Pick),
    /// Anything else, computed afresh over the rows of a group that has changed.
    Partition(Partition),
}

/// One function with what it reads.
#[derive(Debug, Clone)]
pub(crate) struct AggregateCall {
    pub function: Function,
    /// Which of the grouping's inputs it reads.
    pub input: usize,
    /// Columns it reads; those that order stand before those given out or computed on.
    pub arguments: Vec<Arc<dyn PhysicalExpr>>,
    /// Rows it looks at.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
}

/// A grouping to be made.
#[derive(Debug, Clone)]
pub(crate) struct AggregateSpec {
    /// Key columns, then results.
    pub schema: SchemaRef,
    /// Key expressions over each input. A group is there while the first input has rows of it; the others
    /// hold rows of the same groups only.
    pub keys: Vec<Vec<Arc<dyn PhysicalExpr>>>,
    pub calls: Vec<AggregateCall>,
    /// For each result column, the call it comes from and which of the call's columns it is.
    pub results: Vec<(usize, usize)>,
    /// Whether no row is ever taken back.
    pub is_append_only: bool,
}

impl AggregateSpec {
    /// How many columns the key has.
    pub fn key_width(&self) -> usize {
        self.keys[0].len()
    }
}
