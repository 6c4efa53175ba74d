//! Projection: new columns from each row.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use super::{Change, Operator, evaluate, over_changes};
use crate::state::new_batch;
use crate::{Delta, Result};

/// Gives one row of `expressions` per row. Plain columns are passed on without a copy.
#[derive(Debug)]
pub(crate) struct Map {
    schema: SchemaRef,
    expressions: Vec<Arc<dyn PhysicalExpr>>,
}

impl Map {
    pub fn new(schema: SchemaRef, expressions: Vec<Arc<dyn PhysicalExpr>>) -> Self {
        Self { schema, expressions }
    }
}

impl Operator for Map {
    fn class(&self) -> &'static str {
        "linear"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let map = |delta: &Delta| {
            let columns = evaluate(&self.expressions, &delta.batch)?;
            let batch = new_batch(&self.schema, columns, delta.num_rows())?;
            Ok(Delta { batch, weights: delta.weights.clone() })
        };
        over_changes(&inputs[0], |deltas| deltas.iter().map(map).collect())
    }
}
