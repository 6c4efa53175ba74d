//! Anything else: the node's query run again over all rows whenever one of its inputs changes.
//!
//! Time and memory grow with the inputs, not with the change; `explain` says so and why.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::MemTable;
use datafusion::common::tree_node::Transformed;
use datafusion::datasource::provider_as_source;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use datafusion::physical_plan::collect;

use super::unkeyed::change_rows;
use super::{Change, Operator};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{RowStore, concat, consolidate, new_batch};
use crate::{Delta, Error, Result};

/// A query over inputs that stand in it as scans of tables called [`input_name`].
#[derive(Clone)]
pub(crate) struct RecomputeSpec {
    pub plan: LogicalPlan,
    pub schema: SchemaRef,
    pub inputs: Vec<SchemaRef>,
    /// Rows all inputs together may hold; a view that needs more stops.
    pub rows_max: usize,
    pub state: Arc<SessionState>,
}

/// What errors call it.
const PLACE: &str = "recomputed query";

/// What the table that stands for an input is called.
pub(crate) fn input_name(input: usize) -> String {
    format!("__input_{input}")
}

/// Runs a query again and gives what has changed of its answer.
pub(crate) struct Recompute {
    spec: RecomputeSpec,
    inputs: Vec<RowStore>,
    answer: RowStore,
    has_started: bool,
}

impl Recompute {
    pub fn new(spec: RecomputeSpec) -> Result<Self> {
        let all = |schema: &SchemaRef| RowStore::new(Arc::clone(schema), Vec::new());
        let inputs = spec.inputs.iter().map(all).collect::<Result<_>>()?;
        let answer = all(&spec.schema)?;
        Ok(Self { spec, inputs, answer, has_started: false })
    }

    fn take_in(&mut self, input: usize, deltas: &[Delta]) -> Result<()> {
        if deltas.is_empty() {
            return Ok(());
        }
        let change = consolidate(concat(&self.spec.inputs[input], deltas.to_vec())?)?;
        change_rows(&mut self.inputs[input], PLACE, &change)?;
        let rows: usize = self.inputs.iter().map(RowStore::len).sum();
        if rows > self.spec.rows_max {
            return Err(Error::TooLarge { rows, rows_max: self.spec.rows_max });
        }
        Ok(())
    }

    /// The answer over the rows the inputs hold now.
    pub fn run(&self) -> Result<Vec<RecordBatch>> {
        let tables = self.spec.inputs.iter().zip(&self.inputs).map(|(schema, rows)| {
            let batches = rows.contents()?.into_iter().map(|(batch, _)| batch);
            let batches =
                batches.map(|batch| new_batch(schema, batch.columns().to_vec(), batch.num_rows()));
            let batches = batches.collect::<Result<Vec<_>>>()?;
            Ok(Arc::new(MemTable::try_new(Arc::clone(schema), vec![batches])?))
        });
        let tables = tables.collect::<Result<Vec<_>>>()?;
        let plan = self.spec.plan.clone().transform_up_with_subqueries(|node| {
            let LogicalPlan::TableScan(scan) = node else { return Ok(Transformed::no(node)) };
            let name = scan.table_name.table();
            let input = (0..tables.len()).find(|input| input_name(*input) == name);
            let Some(input) = input else {
                return Ok(Transformed::no(LogicalPlan::TableScan(scan)));
            };
            let source = provider_as_source(Arc::clone(&tables[input]) as _);
            Ok(Transformed::yes(LogicalPlan::TableScan(TableScan { source, ..scan })))
        })?;
        Ok(execute(&self.spec.state, &plan.data)?)
    }
}

/// Runs a query to its end, wherever it is called from: on a thread and a runtime of its own.
pub(crate) fn execute(
    state: &SessionState,
    plan: &LogicalPlan,
) -> DataFusionResult<Vec<RecordBatch>> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        runtime.block_on(async {
            // The plan has been optimised, and some rules do not bear to be applied twice.
            let physical = state.query_planner().create_physical_plan(plan, state).await?;
            collect(physical, state.task_ctx()).await
        })
    };
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|_| {
        Err(DataFusionError::Internal("the query's thread panicked".to_owned()))
    })
}

impl Operator for Recompute {
    fn class(&self) -> &'static str {
        "recompute"
    }

    fn depends_on_order(&self) -> bool {
        true
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        for (input, change) in inputs.iter().enumerate() {
            self.take_in(input, change.deltas)?;
        }
        let mut change = Vec::new();
        for (batch, _) in self.answer.contents()? {
            change.push(Delta::deletes(batch));
        }
        for batch in self.run()? {
            let rows = batch.num_rows();
            change.push(Delta::inserts(new_batch(
                &self.spec.schema,
                batch.columns().to_vec(),
                rows,
            )?));
        }
        self.has_started = true;
        if change.is_empty() {
            return Ok(Vec::new());
        }
        let change = consolidate(concat(&self.spec.schema, change)?)?;
        change_rows(&mut self.answer, PLACE, &change)?;
        Ok(if change.is_empty() { Vec::new() } else { vec![change] })
    }

    fn rows(&self) -> Option<Result<Vec<Delta>>> {
        let contents = self.has_started.then(|| self.answer.contents())?;
        Some(contents.map(|all| all.into_iter().map(|(batch, _)| Delta::inserts(batch)).collect()))
    }

    fn state_rows(&self) -> usize {
        self.inputs.iter().map(RowStore::len).sum::<usize>() + self.answer.len()
    }

    fn state_bytes(&self) -> usize {
        self.inputs.iter().map(RowStore::state_bytes).sum::<usize>() + self.answer.state_bytes()
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        for (input, rows) in self.inputs.iter().enumerate() {
            pieces.put_rows(&input_name(input), rows)?;
        }
        pieces.put_rows("answer", &self.answer)
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        for (input, rows) in self.inputs.iter_mut().enumerate() {
            rows.load(pieces.rows(&input_name(input))?, |_| Ok(Vec::new()))?;
        }
        self.answer.load(pieces.rows("answer")?, |_| Ok(Vec::new()))?;
        self.has_started = true;
        Ok(())
    }
}
