//! Filters on the rank that a window gives.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::expr::{WindowFunction, WindowFunctionDefinition};
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{self as logical, BinaryExpr, Expr, LogicalPlan, Operator};

use super::{call_of, integer};
use crate::Result;
use crate::graph::{Graph, NodeId};
use crate::operator::Ranking;
use crate::plan::lower::ordered::{OrderedNode, Ranks};
use crate::plan::lower::{Lowering, arrow_schema};

/// A filter on the rank that a window gives to the rows of its input.
pub(in crate::plan::lower) struct Ranked<'a> {
    window: &'a logical::Window,
    call: &'a WindowFunction,
    rank: Ranking,
    ranks: RangeInclusive<u64>,
    /// What else the rows must fulfil, over the columns of the window.
    others: Option<Expr>,
}

impl Ranked<'_> {
    /// Whether an expression over the columns of the window reads the rank, or needs it to be in its place: the
    /// values of subqueries stand behind all columns.
    fn is_read_by(&self, expression: &Expr, columns: &DFSchema) -> Result<bool> {
        let rank = columns.fields().len() - 1;
        let is_rank = |part: &Expr| {
            Ok(match part {
                Expr::Column(column) => columns.maybe_index_of_column(column) == Some(rank),
                Expr::ScalarSubquery(_) => true,
                _ => false,
            })
        };
        Ok(expression.exists(is_rank)?)
    }
}

impl Lowering<'_> {
    /// Lowers the input of a projection to `wanted`, which need not give columns that are not wanted.
    pub(in crate::plan::lower) fn lower_for(
        &self,
        graph: &mut Graph,
        input: &LogicalPlan,
        wanted: &[Expr],
    ) -> Result<NodeId> {
        let mut plan = input;
        while let LogicalPlan::SubqueryAlias(alias) = plan {
            plan = &alias.input;
        }
        match plan {
            LogicalPlan::Filter(filter) => match self.ranked(filter) {
                Some(ranked) => {
                    self.ranked_rows(graph, plan, ranked, Some((wanted, input.schema())))
                }
                None => self.lower(graph, input),
            },
            _ => self.lower(graph, input),
        }
    }

    /// The filter as one on a rank that is bounded, if it is such.
    pub(in crate::plan::lower) fn ranked<'a>(
        &self,
        filter: &'a logical::Filter,
    ) -> Option<Ranked<'a>> {
        let mut plan = filter.input.as_ref();
        while let LogicalPlan::SubqueryAlias(alias) = plan {
            plan = &alias.input;
        }
        let LogicalPlan::Window(window) = plan else { return None };
        let [expression] = window.window_expr.as_slice() else { return None };
        let call = call_of(expression)?;
        let WindowFunctionDefinition::WindowUDF(function) = &call.fun else { return None };
        let rank = match function.name() {
            "row_number" => Ranking::RowNumber,
            "rank" => Ranking::Rank,
            "dense_rank" => Ranking::DenseRank,
            _ => return None,
        };
        let columns = filter.input.schema();
        let place = columns.fields().len() - 1;
        let is_rank = |expression: &Expr| is_column(expression, columns, place);
        let (mut from, mut to, mut others) = (1, u64::MAX, Vec::new());
        for part in split_conjunction(&filter.predicate) {
            let bounds = bounds(part, &is_rank);
            if let Some((ranks, _)) = &bounds {
                (from, to) = (from.max(*ranks.start()), to.min(*ranks.end()));
            }
            if !bounds.is_some_and(|(_, is_all)| is_all) {
                others.push(part.clone());
            }
        }
        let others = conjunction(others);
        (to < u64::MAX).then_some(Ranked { window, call, rank, ranks: from..=to, others })
    }

    /// The rows of some ranks. With `wanted`, expressions over the given columns, other columns may be left out.
    pub(in crate::plan::lower) fn ranked_rows(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        ranked: Ranked<'_>,
        wanted: Option<(&[Expr], &DFSchema)>,
    ) -> Result<NodeId> {
        let columns = &ranked.window.schema;
        let LogicalPlan::Filter(filter) = plan else { unreachable!("it was found in a filter") };
        let filtered = filter.input.schema();
        let mut is_read = wanted.is_none();
        let wanted = wanted.into_iter().flat_map(|(wanted, columns)| {
            wanted.iter().map(move |expression| (expression, columns))
        });
        let others = ranked.others.iter().map(|others| (others, filtered.as_ref()));
        for (expression, columns) in wanted.chain(others) {
            is_read |= ranked.is_read_by(expression, columns)?;
        }
        let node = self.lower(graph, &ranked.window.input)?;
        let params = &ranked.call.params;
        let ordered = OrderedNode {
            node,
            columns: ranked.window.input.schema(),
            partition: &params.partition_by,
            order: &params.order_by,
            description: format!("{}, {}", plan.display(), ranked.window_text()),
        };
        let (from, to) = ranked.ranks.clone().into_inner();
        if from > to {
            return self.constant(graph, plan, RecordBatch::new_empty(arrow_schema(plan)));
        }
        let ranks = Ranks { rank: ranked.rank, from, to, are_left_out: false };
        let rank_field = columns.fields().last().filter(|_| is_read).map(Arc::clone);
        let top = self.top(graph, ordered, ranks, rank_field)?;
        match &ranked.others {
            None => Ok(top),
            Some(others) => self.passing(graph, plan, top, others, filtered),
        }
    }
}

impl Ranked<'_> {
    fn window_text(&self) -> String {
        LogicalPlan::Window(self.window.clone()).display().to_string()
    }
}

fn is_column(expression: &Expr, columns: &DFSchema, place: usize) -> bool {
    match expression {
        Expr::Column(column) => columns.maybe_index_of_column(column) == Some(place),
        Expr::Cast(cast) => {
            is_column(&cast.expr, columns, place) && cast.field.data_type().is_integer()
        }
        _ => false,
    }
}

/// The ranks outside of which a condition is not true, and whether it is true for all within.
fn bounds(
    condition: &Expr,
    is_rank: &impl Fn(&Expr) -> bool,
) -> Option<(RangeInclusive<u64>, bool)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let ((left, _), (right, _)) = (bounds(left, is_rank)?, bounds(right, is_rank)?);
            Some((*left.start().min(right.start())..=*left.end().max(right.end()), false))
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (operator, number) = match (is_rank(left), is_rank(right)) {
                (true, false) => (*op, integer(right)?),
                (false, true) => (op.swap()?, integer(left)?),
                _ => return None,
            };
            let ranks = match operator {
                Operator::Eq => number..=number,
                Operator::LtEq => 0..=number,
                Operator::Lt => 0..=number - 1,
                Operator::GtEq => number..=i128::MAX,
                Operator::Gt => number.saturating_add(1)..=i128::MAX,
                _ => return None,
            };
            Some((clamped(ranks), true))
        }
        Expr::Between(between) if !between.negated && is_rank(&between.expr) => {
            Some((clamped(integer(&between.low)?..=integer(&between.high)?), true))
        }
        Expr::InList(list) if !list.negated && is_rank(&list.expr) => {
            let numbers = list.list.iter().map(integer).collect::<Option<Vec<_>>>()?;
            Some((clamped(*numbers.iter().min()?..=*numbers.iter().max()?), false))
        }
        _ => None,
    }
}

fn clamped(ranks: RangeInclusive<i128>) -> RangeInclusive<u64> {
    let clamp = |number: i128| number.clamp(0, i128::from(u64::MAX)) as u64;
    clamp(*ranks.start())..=clamp(*ranks.end())
}
