//! The rows of a view in an order, so that two runs print the same.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::DFSchema;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, SortExpr};
use datafusion::physical_expr::create_physical_expr;

use crate::Result;
use crate::encode::rows_of;

/// The `order by` at the top of a query.
#[derive(Debug, Clone)]
pub enum Order {
    /// There is none.
    None,
    /// By expressions over the columns of the answer.
    By(DFSchema, Vec<SortExpr>),
    /// By columns that are not part of the answer.
    Hidden,
}

impl Order {
    pub(crate) fn of(plan: &LogicalPlan) -> Self {
        match plan {
            LogicalPlan::Sort(sort) => {
                Self::By(sort.input.schema().as_ref().clone(), sort.expr.clone())
            }
            LogicalPlan::Limit(limit) => Self::of(&limit.input),
            LogicalPlan::SubqueryAlias(alias) => match Self::of(&alias.input) {
                Self::None => Self::None,
                _ => Self::Hidden,
            },
            LogicalPlan::Projection(projection) => match Self::of(&projection.input) {
                Self::None => Self::None,
                _ => Self::Hidden,
            },
            _ => Self::None,
        }
    }
}

/// All rows in one batch: in the query's order, and among equals (or without an order) by their values from
/// the first column to the last.
///
/// # Errors
/// When the order can't be evaluated.
pub fn sorted(schema: &SchemaRef, batches: &[RecordBatch], order: &Order) -> Result<RecordBatch> {
    let batch = concat_batches(schema, batches)?;
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    if let Order::By(columns_of, sorts) = order {
        for sort in sorts {
            let column = evaluate(&batch, columns_of, sort)?;
            let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            fields.push(SortField::new_with_options(column.data_type().clone(), options));
            columns.push(column);
        }
    }
    for column in batch.columns() {
        let field = SortField::new(column.data_type().clone());
        if RowConverter::supports_fields(std::slice::from_ref(&field)) {
            fields.push(field);
            columns.push(Arc::clone(column));
        }
    }
    let keys: Option<Rows> = match columns.is_empty() {
        true => None,
        false => Some(RowConverter::new(fields)?.convert_columns(&columns)?),
    };
    // What has no order of its own stands by its text.
    let texts = rows_of(&batch, false)?;
    let mut places: Vec<u32> = (0..batch.num_rows() as u32).collect();
    places.sort_by(|first, second| {
        let (first, second) = (*first as usize, *second as usize);
        let by_key = keys.as_ref().map(|keys| keys.row(first).cmp(&keys.row(second)));
        by_key.unwrap_or(std::cmp::Ordering::Equal).then_with(|| texts[first].cmp(&texts[second]))
    });
    Ok(take_record_batch(&batch, &UInt32Array::from(places))?)
}

/// The values to sort by.
pub(crate) fn evaluate(
    batch: &RecordBatch,
    columns: &DFSchema,
    sort: &SortExpr,
) -> Result<ArrayRef> {
    let (properties, context) = (ExecutionProps::new(), PhysicalPlanningContext::default());
    let expression = create_physical_expr(&sort.expr, columns, &properties, &context)?;
    Ok(expression.evaluate(batch)?.into_array(batch.num_rows())?)
}
