//! A change of a relation: rows with weights.

use arrow::array::{Array, Int64Array, RecordBatch};
use arrow::datatypes::SchemaRef;

use crate::Result;
use crate::state::take_rows;

/// Rows that come (positive weight) and go (negative weight).
#[derive(Debug, Clone)]
pub struct Delta {
    /// The rows.
    pub batch: RecordBatch,
    /// How often each row comes or goes, without nulls; `None` when each comes once. A row of weight 0 is as
    /// good as not there.
    pub weights: Option<Int64Array>,
}

impl Delta {
    /// Every row of `batch` comes once.
    pub fn inserts(batch: RecordBatch) -> Self {
        Self { batch, weights: None }
    }

    /// Every row of `batch` goes once.
    pub fn deletes(batch: RecordBatch) -> Self {
        let weights = Int64Array::from_value(-1, batch.num_rows());
        Self { batch, weights: Some(weights) }
    }

    /// Rows of `batch` with a weight each.
    pub fn weighted(batch: RecordBatch, weights: Vec<i64>) -> Self {
        debug_assert_eq!(batch.num_rows(), weights.len(), "one weight per row");
        Self { batch, weights: Some(Int64Array::from(weights)) }
    }

    /// Columns of the rows.
    pub fn schema(&self) -> SchemaRef {
        self.batch.schema()
    }

    /// Number of rows, whatever their weights.
    pub fn num_rows(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.batch.num_rows() == 0
    }

    /// The weight of row `row`.
    pub fn weight(&self, row: usize) -> i64 {
        self.weights.as_ref().map_or(1, |weights| weights.value(row))
    }

    /// The weights as a slice; `None` when all are +1.
    pub(crate) fn weight_values(&self) -> Option<&[i64]> {
        self.weights.as_ref().map(|weights| weights.values().as_ref())
    }

    /// Whether some row goes.
    pub(crate) fn retracts(&self) -> bool {
        self.weight_values().is_some_and(|weights| weights.iter().any(|weight| *weight < 0))
    }

    /// The change without rows of weight 0.
    pub(crate) fn without_zeros(self) -> Result<Self> {
        let Some(weights) = self.weight_values().filter(|weights| weights.contains(&0)) else {
            return Ok(self);
        };
        let rows: Vec<u32> =
            (0..weights.len() as u32).filter(|row| weights[*row as usize] != 0).collect();
        let weights = rows.iter().map(|row| weights[*row as usize]).collect();
        Ok(Self::weighted(take_rows(&self.batch, rows)?, weights))
    }

    /// Whether there is one weight per row and none is null.
    pub(crate) fn has_sound_weights(&self) -> bool {
        self.weights
            .as_ref()
            .is_none_or(|weights| weights.null_count() == 0 && weights.len() == self.num_rows())
    }
}
