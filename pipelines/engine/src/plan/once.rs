//! What a filter and the projection above it both compute is computed once.
//!
//! Pushing a filter below a projection writes the projection's expressions into it: `where channel_id is not
//! null` over `regexp_match(…) as channel_id` would search each row twice.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};

/// What the columns for shared values are called.
const SHARED: &str = "__shared";

pub(super) fn evaluate_once(plan: LogicalPlan) -> Result<LogicalPlan> {
    let shared = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Projection(projection) = &node else { return Ok(Transformed::no(node)) };
        let LogicalPlan::Filter(filter) = projection.input.as_ref() else {
            return Ok(Transformed::no(node));
        };
        let known = known_values(filter);
        let (projection, reuses) = with_columns(projection, &known)?;
        let values = shared_values(filter, &projection)?;
        Ok(match values.is_empty() {
            true if reuses => Transformed::yes(LogicalPlan::Projection(projection)),
            true => Transformed::no(node),
            false => Transformed::yes(share(filter, &projection, &values)?),
        })
    })?;
    Ok(shared.data)
}

/// What a projection below the filter has computed already, with the columns that hold it.
fn known_values(filter: &Filter) -> Vec<(Expr, Expr)> {
    let LogicalPlan::Projection(below) = filter.input.as_ref() else { return Vec::new() };
    let stays = |column: &&Column| {
        below.expr.iter().any(|other| matches!(other, Expr::Column(other) if other == *column))
    };
    let columns = below.schema.columns().into_iter().map(Expr::Column);
    let values = below.expr.iter().zip(columns).filter_map(|(value, column)| {
        let value = value.clone().unalias();
        let is_same_above = value.column_refs().iter().all(stays);
        (is_costly(&value) && is_same_above).then_some((value, column))
    });
    values.collect()
}

/// The projection with columns in place of values that stand in them, and whether there are any.
fn with_columns(projection: &Projection, known: &[(Expr, Expr)]) -> Result<(Projection, bool)> {
    let mut reuses = false;
    let expressions = projection.expr.iter().map(|expression| {
        let replaced = replace(expression, known)?;
        reuses |= replaced.transformed;
        Ok(replaced.data)
    });
    let expressions = expressions.collect::<Result<Vec<_>>>()?;
    let (input, schema) = (Arc::clone(&projection.input), Arc::clone(&projection.schema));
    Ok((Projection::try_new_with_schema(expressions, input, schema)?, reuses))
}

/// An expression with columns in place of values.
fn replace(expression: &Expr, values: &[(Expr, Expr)]) -> Result<Transformed<Expr>> {
    expression.clone().transform_down(|part| {
        Ok(match values.iter().find(|(value, _)| *value == part) {
            Some((_, column)) => Transformed::new(column.clone(), true, TreeNodeRecursion::Jump),
            None => Transformed::no(part),
        })
    })
}

/// The largest parts of the predicate that cost something and are also part of the projection.
fn shared_values(filter: &Filter, projection: &Projection) -> Result<Vec<Expr>> {
    let mut values: Vec<Expr> = Vec::new();
    filter.predicate.apply(|part| {
        let is_part = |expression: &Expr| expression.exists(|other| Ok(other == part));
        let is_projected =
            projection.expr.iter().map(is_part).collect::<Result<Vec<bool>>>()?.contains(&true);
        if !is_costly(part) || !is_projected {
            return Ok(TreeNodeRecursion::Continue);
        }
        if !values.contains(part) {
            values.push(part.clone());
        }
        Ok(TreeNodeRecursion::Jump)
    })?;
    Ok(values)
}

/// Whether an expression is worth a column, and is the same wherever it is computed.
fn is_costly(part: &Expr) -> bool {
    let is_call = |part: &Expr| Ok(matches!(part, Expr::ScalarFunction(_) | Expr::Like(_)));
    let reads_rows = |part: &Expr| {
        Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)))
    };
    let holds = |found: Result<bool>| found.unwrap_or(false);
    !part.is_volatile() && holds(part.exists(is_call)) && !holds(part.exists(reads_rows))
}

/// The projection over the filter over a projection that adds `values` as columns.
fn share(filter: &Filter, projection: &Projection, values: &[Expr]) -> Result<LogicalPlan> {
    let name = |at: usize| format!("{SHARED}_{at}");
    let mut columns: Vec<Expr> =
        filter.input.schema().columns().into_iter().map(Expr::Column).collect();
    columns.extend(values.iter().enumerate().map(|(at, value)| value.clone().alias(name(at))));
    let input = Projection::try_new(columns, Arc::clone(&filter.input))?;
    let column = |at: usize| Expr::Column(Column::new_unqualified(name(at)));
    let columns: Vec<(Expr, Expr)> =
        values.iter().enumerate().map(|(at, value)| (value.clone(), column(at))).collect();
    let predicate = replace(&filter.predicate, &columns)?.data;
    let filter = Filter::try_new(predicate, Arc::new(LogicalPlan::Projection(input)))?;
    let over = Projection::try_new_with_schema(
        projection.expr.clone(),
        Arc::new(LogicalPlan::Filter(filter)),
        Arc::clone(&projection.schema),
    )?;
    Ok(LogicalPlan::Projection(with_columns(&over, &columns)?.0))
}
