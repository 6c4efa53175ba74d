//! What has no operator of its own: the node's query is run again over its inputs.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::DFSchemaRef;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{LogicalPlan, TableScan};

use super::{Catalog, Lowering, arrow_schema, boxed};
use crate::consolidation::Consolidation;
use crate::fault::Fault;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::{Recompute, RecomputeSpec, execute, input_name};
use crate::plan::table::DeclaredTable;
use crate::state::new_batch;
use crate::{Error, Result};

/// The nodes a query reads, each behind a scan that stands for it.
#[derive(Default)]
struct Inputs {
    nodes: Vec<NodeId>,
    schemas: Vec<SchemaRef>,
}

impl Inputs {
    /// The scan that stands for the rows of `node`.
    fn scan(&mut self, node: NodeId, rows: &DFSchemaRef) -> LogicalPlan {
        let schema = Arc::clone(rows.inner());
        let source = provider_as_source(Arc::new(DeclaredTable::new(Arc::clone(&schema))));
        let table_name = input_name(self.nodes.len()).into();
        self.nodes.push(node);
        self.schemas.push(schema);
        LogicalPlan::TableScan(TableScan {
            table_name,
            source,
            projection: None,
            projected_schema: Arc::clone(rows),
            filters: Vec::new(),
            fetch: None,
            statistics_requests: BTreeSet::new(),
        })
    }

    /// `plan` with a scan that stands for it in place of each relation and view.
    fn take_tables(
        &mut self,
        plan: LogicalPlan,
        catalog: &Catalog,
    ) -> DataFusionResult<LogicalPlan> {
        let replaced = plan.transform_down_with_subqueries(|node| {
            let LogicalPlan::TableScan(scan) = node else { return Ok(Transformed::no(node)) };
            let Some(node) = catalog.get(scan.table_name.table()) else {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            };
            let table_name = input_name(self.nodes.len()).into();
            self.nodes.push(*node);
            self.schemas.push(scan.source.schema());
            Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { table_name, ..scan })))
        })?;
        Ok(replaced.data)
    }
}

impl Lowering<'_> {
    /// A node that runs `plan` again with each change of what it reads. `refusal` says why there is no better.
    pub(super) fn recompute(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        refusal: Box<Fault>,
    ) -> Result<NodeId> {
        if self.config.recompute_rows_max == 0 {
            return Err(Error::Unsupported(refusal));
        }
        let mut inputs = Inputs::default();
        let query = match plan {
            // The recursive term reads its own outcome: only whole tables can be taken out of it.
            LogicalPlan::RecursiveQuery(_) => inputs.take_tables(plan.clone(), self.catalog)?,
            _ => self.over_children(graph, plan, &mut inputs)?,
        };
        let schema = arrow_schema(plan);
        let spec = RecomputeSpec {
            plan: query,
            schema: Arc::clone(&schema),
            inputs: inputs.schemas,
            rows_max: self.config.recompute_rows_max,
            state: Arc::clone(self.state),
        };
        let reason = refusal.brief();
        if inputs.nodes.is_empty() {
            return self.run_once(graph, plan);
        }
        // What batch SQL cannot run either is told now, not with the first row.
        Recompute::new(spec.clone())?.run().map_err(|error| {
            let instead = format!("nor does batch SQL answer it: {error}");
            self.unsupported(&plan.display(), refusal.place.clone(), &instead)
        })?;
        graph.add(NodeSpec {
            definition: format!("recompute {}", spec.plan.display_indent_schema()),
            description: plan.display().to_string(),
            inputs: inputs.nodes,
            schema,
            is_append_only: false,
            unique: None,
            consolidation: Consolidation::Always,
            placement: Placement::Together,
            recomputes: Some(reason),
            build: Box::new(move || boxed(Recompute::new(spec.clone())?)),
        })
    }

    /// `plan` over scans that stand for its inputs, which are kept by operators of their own.
    fn over_children(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        inputs: &mut Inputs,
    ) -> Result<LogicalPlan> {
        let mut children = Vec::new();
        for child in plan.inputs() {
            let node = self.lower(graph, child)?;
            children.push(inputs.scan(node, child.schema()));
        }
        let plan = plan.with_new_exprs(plan.expressions(), children)?;
        let plan = plan.map_subqueries(|subquery| {
            Ok(Transformed::yes(inputs.take_tables(subquery, self.catalog)?))
        })?;
        Ok(plan.data)
    }

    /// Rows of what is neither relation nor view, such as `generate_series(1, 9)`: they never change.
    pub(super) fn run_once(&self, graph: &mut Graph, plan: &LogicalPlan) -> Result<NodeId> {
        let schema = arrow_schema(plan);
        let batches = execute(self.state, plan)?;
        let batches = batches
            .iter()
            .map(|batch| new_batch(&schema, batch.columns().to_vec(), batch.num_rows()))
            .collect::<Result<Vec<RecordBatch>>>()?;
        self.constant(graph, plan, arrow::compute::concat_batches(&schema, &batches)?)
    }
}
