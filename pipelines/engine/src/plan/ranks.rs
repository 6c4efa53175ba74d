//! Brings a filter to the window whose rank it bounds.
//!
//! Between the two, the optimiser leaves a projection that drops columns only the window reads. Without it they
//! are seen as one: the first rows of each group.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};

/// The plan with filters below projections that only choose columns of a window.
pub(super) fn filter_windows(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .transform_up(|plan| match &plan {
            LogicalPlan::Filter(filter) => match columns_of_window(&filter.input) {
                Some(columns) => {
                    let predicate = below(filter.predicate.clone(), columns)?;
                    let filter = Filter::try_new(predicate, Arc::clone(&columns.input))?;
                    project(columns.expr.clone(), LogicalPlan::Filter(filter), columns)
                }
                None => Ok(Transformed::no(plan)),
            },
            // Else the columns that only the filter reads would be given out.
            LogicalPlan::Projection(projection) => match columns_of_filter(&projection.input) {
                Some(columns) => {
                    let expressions = projection.expr.iter().cloned();
                    let expressions = expressions.map(|expression| below(expression, columns));
                    let input = columns.input.as_ref().clone();
                    project(expressions.collect::<Result<_>>()?, input, projection)
                }
                None => Ok(Transformed::no(plan)),
            },
            _ => Ok(Transformed::no(plan)),
        })?
        .data)
}

fn project(
    expressions: Vec<Expr>,
    input: LogicalPlan,
    like: &Projection,
) -> Result<Transformed<LogicalPlan>> {
    let schema = Arc::clone(&like.schema);
    let projection = Projection::try_new_with_schema(expressions, Arc::new(input), schema)?;
    Ok(Transformed::yes(LogicalPlan::Projection(projection)))
}

/// A projection that only chooses columns, whatever it names them.
fn columns(plan: &LogicalPlan) -> Option<&Projection> {
    let LogicalPlan::Projection(projection) = plan else { return None };
    let is_column = |expression: &Expr| matches!(unnamed(expression), Expr::Column(_));
    projection.expr.iter().all(is_column).then_some(projection)
}

fn columns_of_window(plan: &LogicalPlan) -> Option<&Projection> {
    columns(plan).filter(|columns| matches!(columns.input.as_ref(), LogicalPlan::Window(_)))
}

fn columns_of_filter(plan: &LogicalPlan) -> Option<&Projection> {
    columns(plan).filter(|columns| match columns.input.as_ref() {
        LogicalPlan::Filter(filter) => matches!(filter.input.as_ref(), LogicalPlan::Window(_)),
        _ => false,
    })
}

fn unnamed(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unnamed(&alias.expr),
        other => other,
    }
}

/// An expression over what `columns` gives as one over what it reads.
fn below(expression: Expr, columns: &Projection) -> Result<Expr> {
    let schema: &DFSchema = &columns.schema;
    let replaced = expression.transform(|part| match &part {
        Expr::Column(column) => {
            let place = schema.index_of_column(column)?;
            Ok(Transformed::yes(unnamed(&columns.expr[place]).clone()))
        }
        _ => Ok(Transformed::no(part)),
    })?;
    Ok(replaced.data)
}
