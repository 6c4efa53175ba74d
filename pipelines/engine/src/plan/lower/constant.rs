//! Rows written in the query itself.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat as concat_arrays;
use arrow::datatypes::Schema;
use datafusion::common::DFSchema;
use datafusion::logical_expr::{self as logical, LogicalPlan};

use super::{Lowering, arrow_schema, boxed};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::Constant;
use crate::state::new_batch;

impl Lowering<'_> {
    /// No row, or the one without columns that `select` without `from` reads.
    pub(super) fn empty(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        empty: &logical::EmptyRelation,
    ) -> Result<NodeId> {
        let schema = arrow_schema(plan);
        let batch = match empty.produce_one_row {
            true => new_batch(&schema, Vec::new(), 1)?,
            false => RecordBatch::new_empty(schema),
        };
        self.constant(graph, plan, batch)
    }

    pub(super) fn constant(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        batch: RecordBatch,
    ) -> Result<NodeId> {
        graph.add(NodeSpec {
            definition: format!("constant {plan:?}"),
            description: plan.display().to_string(),
            inputs: Vec::new(),
            schema: batch.schema(),
            is_append_only: true,
            unique: None,
            consolidation: Consolidation::Always,
            placement: Placement::Together,
            recomputes: None,
            build: Box::new(move || boxed(Constant::new(batch.clone()))),
        })
    }

    pub(super) fn values(&self, values: &logical::Values) -> Result<RecordBatch> {
        let schema = Arc::clone(values.schema.inner());
        let one_row = new_batch(&Arc::new(Schema::empty()), Vec::new(), 1)?;
        let no_columns = DFSchema::empty();
        let column = |at: usize| -> Result<ArrayRef> {
            let cells = values.values.iter().map(|row| {
                let value =
                    self.expression(&row[at], &no_columns)?.evaluate(&one_row)?.into_array(1)?;
                Ok(arrow::compute::cast(&value, schema.field(at).data_type())?)
            });
            let cells = cells.collect::<Result<Vec<ArrayRef>>>()?;
            Ok(concat_arrays(&cells.iter().map(AsRef::as_ref).collect::<Vec<_>>())?)
        };
        let columns = (0..schema.fields().len()).map(column).collect::<Result<Vec<_>>>()?;
        new_batch(&schema, columns, values.values.len())
    }
}
