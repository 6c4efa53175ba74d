//! Rows written in the query itself: `values (…)` and `select` without `from`.

use arrow::array::RecordBatch;

use super::{Change, Operator};
use crate::{Delta, Result};

/// Rows that never change.
#[derive(Debug)]
pub(crate) struct Constant {
    batch: RecordBatch,
}

impl Constant {
    pub fn new(batch: RecordBatch) -> Self {
        Self { batch }
    }
}

impl Operator for Constant {
    fn class(&self) -> &'static str {
        "constant"
    }

    fn apply(&mut self, _inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        Ok(Vec::new())
    }

    fn rows(&self) -> Option<Result<Vec<Delta>>> {
        Some(Ok(vec![Delta::inserts(self.batch.clone())]))
    }
}
