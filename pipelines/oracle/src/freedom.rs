//! How far SQL itself leaves an answer open.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, SortExpr};

/// What a right answer may look like besides the one batch SQL happens to give.
#[derive(Debug, Clone)]
pub enum Freedom {
    /// There is one right multiset of rows.
    None,
    /// A limit at the top: as many rows as batch SQL gives, each of them in the unlimited answer, with the
    /// same values to sort by.
    Limit {
        /// The query without its limit.
        unlimited: Box<LogicalPlan>,
        /// What it sorts by, over the columns of the answer; empty when it does not or when those columns
        /// are not part of the answer.
        order: Vec<SortExpr>,
    },
    /// Lists are gathered in no order (`array_agg` without `order by`): their elements count as multisets.
    ListOrder,
    /// Batch SQL gives differing answers when the tables' rows come in another order, such as with ties in
    /// `row_number() over (order by …)`: any of them may be right, and nothing can be compared.
    Open,
}

impl Freedom {
    /// What the shape of a plan leaves open. [`Freedom::Open`] can't be seen there: a trial finds it by
    /// asking batch SQL again over rows in another order.
    pub(crate) fn of(plan: &LogicalPlan) -> Result<Self, DataFusionError> {
        if let Some((unlimited, order)) = without_limit(plan)? {
            return Ok(Self::Limit { unlimited: Box::new(unlimited), order });
        }
        let mut gathers = false;
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expression| {
                expression.apply(|part| {
                    gathers |= gathers_lists(part);
                    Ok(TreeNodeRecursion::Continue)
                })
            })
        })?;
        Ok(if gathers { Self::ListOrder } else { Self::None })
    }
}

fn gathers_lists(expression: &Expr) -> bool {
    match expression {
        Expr::AggregateFunction(call) => {
            call.func.name() == "array_agg" && call.params.order_by.is_empty()
        }
        Expr::WindowFunction(call) => call.fun.name() == "array_agg",
        _ => false,
    }
}

/// The plan without the limit at its top and what the rows below it are sorted by.
fn without_limit(
    plan: &LogicalPlan,
) -> Result<Option<(LogicalPlan, Vec<SortExpr>)>, DataFusionError> {
    match plan {
        LogicalPlan::Limit(limit) => {
            let order = match limit.input.as_ref() {
                LogicalPlan::Sort(sort) => sort.expr.clone(),
                _ => Vec::new(),
            };
            Ok(Some((Arc::unwrap_or_clone(Arc::clone(&limit.input)), order)))
        }
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) => {
            let inputs = plan.inputs();
            let input = inputs.first().expect("a projection has an input");
            let Some((unlimited, _)) = without_limit(input)? else { return Ok(None) };
            Ok(Some((plan.with_new_exprs(plan.expressions(), vec![unlimited])?, Vec::new())))
        }
        _ => Ok(None),
    }
}
