//! Union all: the rows of every input.

use arrow::datatypes::SchemaRef;

use super::{Change, Operator};
use crate::state::new_batch;
use crate::{Delta, Result};

/// Gives every input's rows under one schema.
#[derive(Debug)]
pub(crate) struct Union {
    schema: SchemaRef,
}

impl Union {
    pub fn new(schema: SchemaRef) -> Self {
        Self { schema }
    }
}

impl Operator for Union {
    fn class(&self) -> &'static str {
        "linear"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let rename = |delta: &Delta| {
            let batch = new_batch(&self.schema, delta.batch.columns().to_vec(), delta.num_rows())?;
            Ok(Delta { batch, weights: delta.weights.clone() })
        };
        inputs.iter().flat_map(|input| input.iter()).map(rename).collect()
    }
}
