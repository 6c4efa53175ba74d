//! What a view may not say.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use crate::{Error, Result};

/// A view is a query, not a statement that changes anything.
pub(super) fn query_only(view: &str, plan: &LogicalPlan) -> Result<()> {
    let is_statement = matches!(
        plan,
        LogicalPlan::Ddl(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::DescribeTable(_)
    );
    if is_statement {
        return Err(Error::Unsupported {
            view: view.to_owned(),
            construct: plan.display().to_string(),
            instead: "a view is one select".to_owned(),
        });
    }
    Ok(())
}

/// Functions whose value depends on the time or on chance would freeze the view or make it untrue.
pub(super) fn same_at_any_time(view: &str, plan: &LogicalPlan) -> Result<()> {
    let mut found: Option<String> = None;
    let mut visit = |expression: &Expr| {
        if let Expr::ScalarFunction(call) = expression
            && call.func.signature().volatility != Volatility::Immutable
        {
            found = Some(call.func.name().to_owned());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    };
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| expression.apply(&mut visit))
    })?;
    match found {
        None => Ok(()),
        Some(function) => Err(Error::Unsupported {
            view: view.to_owned(),
            construct: format!("{function}()"),
            instead: "its value changes without any row or the time changing; keep it in a column"
                .to_owned(),
        }),
    }
}
