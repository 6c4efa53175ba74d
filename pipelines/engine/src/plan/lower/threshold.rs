//! Filters against one value that moves: the time, or the answer of a scalar subquery.

use std::sync::Arc;

use arrow::row::{RowConverter, SortField};
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{
    self as logical, BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator,
};

use super::{Lowering, boxed, definition_of};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::{Comparison, Threshold, ThresholdSpec};

/// One part of a filter: an expression over the rows, and what it is compared with.
struct Limit {
    compared: Expr,
    comparison: Comparison,
    value: Expr,
}

impl Lowering<'_> {
    /// The filter as one against values that move, if a part of it is such.
    pub(super) fn thresholds(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        filter: &logical::Filter,
    ) -> Result<Option<NodeId>> {
        let (mut limits, mut others) = (Vec::new(), Vec::new());
        for part in split_conjunction(&filter.predicate) {
            match limit(part).filter(|limit| self.is_ordered(limit, filter)) {
                Some(limit) => limits.push(limit),
                None => others.push(part.clone()),
            }
        }
        if limits.is_empty() {
            return Ok(None);
        }
        let mut node = match conjunction(others) {
            None => self.lower(graph, &filter.input)?,
            Some(others) => {
                let others = logical::Filter::try_new(others, Arc::clone(&filter.input))?;
                self.lower(graph, &LogicalPlan::Filter(others))?
            }
        };
        for limit in limits {
            node = self.threshold(graph, plan, filter, node, limit)?;
        }
        Ok(Some(node))
    }

    /// Whether the bytes that order what is compared compare as batch SQL does, which they don't for floats:
    /// those know two zeros.
    fn is_ordered(&self, limit: &Limit, filter: &logical::Filter) -> bool {
        limit.compared.get_type(filter.input.schema().as_ref()).is_ok_and(|data_type| {
            !data_type.is_floating()
                && !data_type.is_nested()
                && RowConverter::supports_fields(&[SortField::new(data_type)])
        })
    }

    fn threshold(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        filter: &logical::Filter,
        rows: NodeId,
        Limit { compared, comparison, value }: Limit,
    ) -> Result<NodeId> {
        let value = LogicalPlanBuilder::empty(true).project([value.alias("value")])?.build()?;
        let value = self.lower(graph, &value)?;
        let compared = self.expression(&compared, filter.input.schema())?;
        let source = &graph.nodes[rows].spec;
        let columns = source.schema.fields().len();
        let spec = ThresholdSpec {
            schema: Arc::clone(&source.schema),
            compared: Arc::clone(&compared),
            comparison,
            value_schema: Arc::clone(&graph.nodes[value].spec.schema),
        };
        graph.add(NodeSpec {
            definition: format!("threshold {comparison:?} {}", definition_of(&[], &[compared])),
            description: plan.display().to_string(),
            inputs: vec![rows, value],
            schema: Arc::clone(&source.schema),
            is_append_only: false,
            unique: source.unique.clone(),
            consolidation: Consolidation::Unknown,
            placement: match columns {
                0 => Placement::Together,
                columns => Placement::Beside { columns },
            },
            recomputes: None,
            build: Box::new(move || boxed(Threshold::new(spec.clone())?)),
        })
    }
}

/// The part as a comparison of the rows with a value that is the same for all of them.
fn limit(part: &Expr) -> Option<Limit> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = part else { return None };
    let (compared, op, value) = match (is_value(left), is_value(right)) {
        (false, true) => (left, *op, right),
        (true, false) => (right, op.swap()?, left),
        _ => return None,
    };
    let comparison = match op {
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::LessOrEqual,
        Operator::Gt => Comparison::Greater,
        Operator::GtEq => Comparison::GreaterOrEqual,
        _ => return None,
    };
    let is_subquery = |part: &Expr| {
        Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)))
    };
    let is_plain = !compared.exists(is_subquery).ok()? && !compared.column_refs().is_empty();
    is_plain.then(|| Limit {
        compared: compared.as_ref().clone(),
        comparison,
        value: value.as_ref().clone(),
    })
}

/// Whether an expression reads no column of the row, but a subquery that stands alone.
fn is_value(expression: &Expr) -> bool {
    let is_alone = |part: &Expr| {
        Ok(matches!(part, Expr::ScalarSubquery(subquery) if subquery.outer_ref_columns.is_empty()))
    };
    expression.column_refs().is_empty() && expression.exists(is_alone).unwrap_or(false)
}
