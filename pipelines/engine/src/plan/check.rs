//! What a view may not say.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use crate::fault::{Fault, Text};
use crate::{Error, Result};

/// A view is a query, not a statement that changes anything.
pub(super) fn query_only(view: &str, text: &Text<'_>, plan: &LogicalPlan) -> Result<()> {
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
        let problem = format!("{} is not supported", plan.display());
        let fault = Fault::of_view(view, problem, text.beginning());
        return Err(Error::Unsupported(Box::new(fault.with_help("a view is one select"))));
    }
    Ok(())
}

/// Functions whose value depends on the time or on chance would freeze the view or make it untrue.
pub(super) fn same_at_any_time(view: &str, text: &Text<'_>, plan: &LogicalPlan) -> Result<()> {
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
        Some(function) => {
            let problem = format!("{function}() is not supported");
            let fault = Fault::of_view(view, problem, text.call(&function, &[]));
            Err(Error::Unsupported(Box::new(fault.with_help(
                "its value changes without any row or the time changing; keep it in a column",
            ))))
        }
    }
}
