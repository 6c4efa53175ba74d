//! Filter: the rows for which a predicate is true.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::{filter, filter_record_batch, prep_null_mask_filter};
use arrow::datatypes::Int64Type;
use datafusion::physical_expr::PhysicalExpr;

use super::{Change, Operator, over_changes};
use crate::{Delta, Result};

/// Passes on rows whose predicate is true, not those where it is false or null.
#[derive(Debug)]
pub(crate) struct Filter {
    predicate: Arc<dyn PhysicalExpr>,
}

impl Filter {
    pub fn new(predicate: Arc<dyn PhysicalExpr>) -> Self {
        Self { predicate }
    }

    fn filter(&self, delta: &Delta) -> Result<Option<Delta>> {
        let verdict = self.predicate.evaluate(&delta.batch)?.into_array(delta.num_rows())?;
        let mask = verdict.as_boolean();
        let mask = if mask.nulls().is_some() { prep_null_mask_filter(mask) } else { mask.clone() };
        let passing = mask.true_count();
        if passing == 0 {
            return Ok(None);
        }
        if passing == delta.num_rows() {
            return Ok(Some(delta.clone()));
        }
        let batch = filter_record_batch(&delta.batch, &mask)?;
        let weights = match &delta.weights {
            Some(weights) => Some(filter(weights, &mask)?.as_primitive::<Int64Type>().clone()),
            None => None,
        };
        Ok(Some(Delta { batch, weights }))
    }
}

impl Operator for Filter {
    fn class(&self) -> &'static str {
        "linear"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        over_changes(&inputs[0], |deltas| {
            deltas.iter().filter_map(|delta| self.filter(delta).transpose()).collect()
        })
    }
}
