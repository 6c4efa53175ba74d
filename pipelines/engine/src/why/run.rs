//! Each node of a plan evaluated on its own, its rows pointing at the rows they came from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, JoinType};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Subquery, TableScan};

use crate::operator::execute;
use crate::state::new_batch;
use crate::{Error, Result};

/// What the column with the number of a row is called, by input.
pub(super) fn row_name(input: usize) -> String {
    format!("__row_{input}")
}

/// A node with its rows.
pub(super) struct Traced {
    pub plan: LogicalPlan,
    pub rows: RecordBatch,
    /// What it reads: its inputs, then the scalar subqueries in its expressions. For what is evaluated as a
    /// whole, the scans of relations in it.
    pub inputs: Vec<Traced>,
    /// By input, the row that each row came from, null where it came from none of that input; `None` where
    /// rows are not passed on one by one.
    pub from: Vec<Option<UInt32Array>>,
    /// Whether it is evaluated as a whole.
    pub is_opaque: bool,
}

impl Traced {
    /// All its rows.
    pub fn all(&self) -> BTreeSet<u32> {
        numbers(self.rows.num_rows()).values().iter().copied().collect()
    }

    pub fn schema(&self) -> &DFSchemaRef {
        self.plan.schema()
    }
}

fn numbers(rows: usize) -> UInt32Array {
    let rows = u32::try_from(rows).expect("invariant: checked where rows come in");
    UInt32Array::from_iter_values(0..rows)
}

/// A node's rows under its columns.
fn labelled(schema: &DFSchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch> {
    let schema = Arc::clone(schema.inner());
    let batches = batches
        .iter()
        .map(|batch| new_batch(&schema, batch.columns().to_vec(), batch.num_rows()))
        .collect::<Result<Vec<_>>>()?;
    let rows = concat_batches(&schema, &batches)?;
    match u32::try_from(rows.num_rows()) {
        Ok(_) => Ok(rows),
        Err(_) => Err(Error::TooLarge { rows: rows.num_rows(), rows_max: u32::MAX as usize }),
    }
}

/// A scan of rows; with `number`, their numbers are a further column of that name.
pub(super) fn scan(
    rows: &RecordBatch,
    schema: &DFSchemaRef,
    number: Option<usize>,
) -> Result<LogicalPlan> {
    let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
    let mut fields: Vec<_> =
        schema.iter().map(|(table, field)| (table.cloned(), Arc::clone(field))).collect();
    if let Some(input) = number {
        columns.push(Arc::new(numbers(rows.num_rows())));
        fields.push((None, Arc::new(Field::new(row_name(input), DataType::UInt32, false))));
    }
    let arrow: SchemaRef = Arc::new(Schema::new(
        fields.iter().map(|(_, field)| Arc::clone(field)).collect::<Vec<_>>(),
    ));
    let batch = new_batch(&arrow, columns, rows.num_rows())?;
    let table = MemTable::try_new(arrow, vec![vec![batch]])?;
    let projected = DFSchema::new_with_metadata(fields, schema.metadata().clone())?;
    Ok(LogicalPlan::TableScan(TableScan {
        table_name: "__rows".into(),
        source: provider_as_source(Arc::new(table)),
        projection: None,
        projected_schema: Arc::new(projected),
        filters: Vec::new(),
        fetch: None,
        statistics_requests: BTreeSet::new(),
    }))
}

/// Runs a plan and gives its rows, with the columns of row numbers taken out.
pub(super) fn numbered(
    state: &SessionState,
    plan: &LogicalPlan,
    inputs: usize,
) -> Result<(RecordBatch, Vec<Option<UInt32Array>>)> {
    let batches = execute(state, plan)?;
    let rows = labelled(plan.schema(), &batches)?;
    let mut from = vec![None; inputs];
    let mut kept = Vec::new();
    for (at, field) in rows.schema_ref().fields().iter().enumerate() {
        match (0..inputs).find(|input| row_name(*input) == *field.name()) {
            Some(input) => from[input] = Some(rows.column(at).as_primitive::<UInt32Type>().clone()),
            None => kept.push(at),
        }
    }
    Ok((rows.project(&kept)?, from))
}

/// Evaluates a plan over the rows of the relations, node by node.
pub(super) fn traced(
    state: &SessionState,
    relations: &BTreeMap<String, RecordBatch>,
    plan: &LogicalPlan,
) -> Result<Traced> {
    if let LogicalPlan::TableScan(table) = plan {
        return relation(state, relations, plan, table);
    }
    if !is_followed(plan)? {
        return opaque(state, relations, plan);
    }
    let mut inputs = Vec::new();
    for input in plan.inputs() {
        inputs.push(traced(state, relations, input)?);
    }
    let children = inputs.len();
    let (rows, mut from) = match plan {
        LogicalPlan::SubqueryAlias(_) => {
            let rows = labelled(plan.schema(), std::slice::from_ref(&inputs[0].rows))?;
            let same = numbers(rows.num_rows());
            (rows, vec![Some(same)])
        }
        LogicalPlan::Union(_) => united(plan, &inputs)?,
        _ => {
            let scans = inputs.iter().enumerate();
            let scans = scans.map(|(at, input)| scan(&input.rows, input.schema(), Some(at)));
            let mut node = over(plan, scans.collect::<Result<Vec<_>>>()?)?;
            for subquery in subqueries(plan)? {
                inputs.push(traced(state, relations, &subquery)?);
            }
            node = with_values(node, &inputs[children..])?;
            let (rows, from) = numbered(state, &node, children)?;
            (labelled(plan.schema(), &[rows])?, from)
        }
    };
    from.resize(inputs.len(), None);
    Ok(Traced { plan: plan.clone(), rows, inputs, from, is_opaque: false })
}

/// The rows of a relation as a scan gives them; what is no relation never changes.
fn relation(
    state: &SessionState,
    relations: &BTreeMap<String, RecordBatch>,
    plan: &LogicalPlan,
    table: &TableScan,
) -> Result<Traced> {
    let rows = match relations.get(table.table_name.table()) {
        Some(rows) => match &table.projection {
            Some(columns) => rows.project(columns)?,
            None => rows.clone(),
        },
        None => labelled(plan.schema(), &execute(state, plan)?)?,
    };
    let rows = labelled(plan.schema(), &[rows])?;
    Ok(Traced { plan: plan.clone(), rows, inputs: Vec::new(), from: Vec::new(), is_opaque: false })
}

/// Whether the rows of a node can be followed to those of its inputs.
fn is_followed(plan: &LogicalPlan) -> Result<bool> {
    let known = match plan {
        LogicalPlan::Join(join) => !matches!(
            join.join_type,
            JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark
        ),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Values(_) => true,
        _ => false,
    };
    let mut is_plain = true;
    plan.apply_expressions(|expression| {
        expression.apply(|part| {
            is_plain &= match part {
                Expr::ScalarSubquery(query) => query.outer_ref_columns.is_empty(),
                Expr::InSubquery(_) | Expr::Exists(_) | Expr::SetComparison(_) => false,
                _ => true,
            };
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    Ok(known && is_plain)
}

/// A node over scans; what it passes on one by one keeps the numbers of the rows.
fn over(plan: &LogicalPlan, scans: Vec<LogicalPlan>) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Projection(projection) => {
            let mut expressions = projection.expr.clone();
            expressions.push(Expr::Column(Column::new_unqualified(row_name(0))));
            let input = scans.into_iter().next().expect("invariant: a projection has an input");
            Ok(LogicalPlan::Projection(Projection::try_new(expressions, Arc::new(input))?))
        }
        _ => Ok(plan.with_new_exprs(plan.expressions(), scans)?),
    }
}

/// The plans of the scalar subqueries in a node's expressions, in the order in which they are replaced.
fn subqueries(plan: &LogicalPlan) -> Result<Vec<Arc<LogicalPlan>>> {
    let mut found = Vec::new();
    plan.clone().map_subqueries(|subquery| {
        if let LogicalPlan::Subquery(subquery) = &subquery {
            found.push(Arc::clone(&subquery.subquery));
        }
        Ok(Transformed::no(subquery))
    })?;
    Ok(found)
}

/// The node with the rows of its subqueries in their place.
fn with_values(plan: LogicalPlan, values: &[Traced]) -> Result<LogicalPlan> {
    let mut values = values.iter();
    let replaced = plan.map_subqueries(|subquery| {
        let (LogicalPlan::Subquery(subquery), Some(value)) = (subquery, values.next()) else {
            return datafusion::common::internal_err!("a subquery that was not evaluated");
        };
        let rows = scan(&value.rows, value.schema(), None).map_err(external)?;
        Ok(Transformed::yes(LogicalPlan::Subquery(Subquery {
            subquery: Arc::new(rows),
            ..subquery
        })))
    })?;
    Ok(replaced.data)
}

/// The rows of all inputs, one after the other.
fn united(
    plan: &LogicalPlan,
    inputs: &[Traced],
) -> Result<(RecordBatch, Vec<Option<UInt32Array>>)> {
    let batches: Vec<RecordBatch> = inputs.iter().map(|input| input.rows.clone()).collect();
    let rows = labelled(plan.schema(), &batches)?;
    let mut from = Vec::new();
    for own in 0..inputs.len() {
        let parts = batches.iter().enumerate().flat_map(|(at, batch)| {
            numbers(batch.num_rows())
                .values()
                .to_vec()
                .into_iter()
                .map(move |row| (at == own).then_some(row))
        });
        from.push(Some(parts.collect::<UInt32Array>()));
    }
    Ok((rows, from))
}

/// A part of a plan evaluated as a whole.
fn opaque(
    state: &SessionState,
    relations: &BTreeMap<String, RecordBatch>,
    plan: &LogicalPlan,
) -> Result<Traced> {
    let mut inputs: Vec<Traced> = Vec::new();
    let replaced = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(table) = &node else { return Ok(Transformed::no(node)) };
        if !relations.contains_key(table.table_name.table()) {
            return Ok(Transformed::no(node));
        }
        let read = relation(state, relations, &node, table).and_then(|read| {
            let scan = scan(&read.rows, read.plan.schema(), None)?;
            Ok((read, scan))
        });
        let (read, scan) = read.map_err(external)?;
        inputs.push(read);
        Ok(Transformed::yes(scan))
    })?;
    let rows = labelled(plan.schema(), &execute(state, &replaced.data)?)?;
    let from = vec![None; inputs.len()];
    Ok(Traced { plan: plan.clone(), rows, inputs, from, is_opaque: true })
}

fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
