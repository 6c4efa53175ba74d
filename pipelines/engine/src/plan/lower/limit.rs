//! `limit` and `offset`.

use arrow::array::RecordBatch;
use datafusion::logical_expr::expr::Sort as SortExpr;
use datafusion::logical_expr::{self as logical, FetchType, LogicalPlan, SkipType};

use super::ordered::{OrderedNode, Ranks};
use super::{Lowering, arrow_schema};
use crate::Result;
use crate::graph::{Graph, NodeId};
use crate::operator::Ranking;

/// Which rows of an ordered input are wanted.
#[derive(Debug, Clone, Copy)]
struct Cut {
    skip: u64,
    fetch: Option<u64>,
}

impl Lowering<'_> {
    pub(super) fn limit(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        limit: &logical::Limit,
    ) -> Result<NodeId> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            let place = self.text.words(&["limit"]).or_else(|| self.text.words(&["offset"]));
            return Err(self.unsupported(
                &plan.display(),
                place,
                "write the number of rows itself",
            ));
        };
        let cut = Cut { skip: skip as u64, fetch: fetch.map(|fetch| fetch as u64) };
        self.cut(graph, plan, &limit.input, cut)
    }

    /// A sort. A view has no order of its own, who reads it sorts: only the number of rows matters.
    pub(super) fn sort(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        sort: &logical::Sort,
    ) -> Result<NodeId> {
        let cut = Cut { skip: 0, fetch: sort.fetch.map(|fetch| fetch as u64) };
        self.first_rows(graph, plan, &sort.input, &sort.expr, cut)
    }

    /// The rows of `input` within `cut`. What only renames or computes columns is done behind the cut.
    fn cut(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        input: &LogicalPlan,
        cut: Cut,
    ) -> Result<NodeId> {
        match input {
            LogicalPlan::SubqueryAlias(alias) => self.cut(graph, plan, &alias.input, cut),
            LogicalPlan::Projection(projection) => {
                let node = self.cut(graph, plan, &projection.input, cut)?;
                self.project(graph, input, projection, node)
            }
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                self.first_rows(graph, plan, &sort.input, &sort.expr, cut)
            }
            _ => self.first_rows(graph, plan, input, &[], cut),
        }
    }

    fn first_rows(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        input: &LogicalPlan,
        order: &[SortExpr],
        Cut { skip, fetch }: Cut,
    ) -> Result<NodeId> {
        if fetch == Some(0) {
            return self.constant(graph, plan, RecordBatch::new_empty(arrow_schema(input)));
        }
        let node = self.lower(graph, input)?;
        if skip == 0 && fetch.is_none() {
            return Ok(node);
        }
        let (from, to) = match fetch {
            Some(fetch) => (skip + 1, skip.saturating_add(fetch)),
            None => (1, skip),
        };
        let ordered = OrderedNode {
            node,
            columns: input.schema(),
            partition: &[],
            order,
            description: plan.display().to_string(),
        };
        let ranks = Ranks { rank: Ranking::RowNumber, from, to, are_left_out: fetch.is_none() };
        self.top(graph, ordered, ranks, None)
    }
}
