//! Window functions, and filters on the rank that one gives.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction, WindowFunctionDefinition};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{self as logical, BinaryExpr, Expr, LogicalPlan, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_planner::create_window_expr;

use super::ordered::{OrderedNode, Ranks, Sorted};
use super::{Lowering, arrow_schema, boxed, definition_of, nullable};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec};
use crate::operator::{Partitions, PartitionsSpec, Ranking, Shift, ShiftCall, ShiftSpec};

/// The farthest row `lag` and `lead` look at to be kept by neighbours: finding it takes a step per row.
const SHIFT_MAX: u64 = 1024;

/// A filter on the rank that a window gives to the rows of its input.
pub(super) struct Ranked<'a> {
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
    pub(super) fn lower_for(
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
    pub(super) fn ranked<'a>(&self, filter: &'a logical::Filter) -> Option<Ranked<'a>> {
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
    pub(super) fn ranked_rows(
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

impl Lowering<'_> {
    pub(super) fn window(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        window: &logical::Window,
    ) -> Result<NodeId> {
        let mut node = self.lower(graph, &window.input)?;
        // Calls over the same rows in the same order share what is kept.
        let mut shared: Vec<(&WindowFunction, Vec<usize>)> = Vec::new();
        for (at, expression) in window.window_expr.iter().enumerate() {
            let Some(call) = call_of(expression) else {
                return Err(self.unsupported(expression, "write a window function"));
            };
            let is_shared = |(other, _): &&mut (&WindowFunction, Vec<usize>)| {
                other.params.partition_by == call.params.partition_by
                    && other.params.order_by == call.params.order_by
            };
            match shared.iter_mut().find(is_shared) {
                Some((_, calls)) => calls.push(at),
                None => shared.push((call, vec![at])),
            }
        }
        let width = window.input.schema().fields().len();
        let mut places: Vec<usize> = (0..width).collect();
        for (call, calls) in &shared {
            let ordered = OrderedNode {
                node,
                columns: window.input.schema(),
                partition: &call.params.partition_by,
                order: &call.params.order_by,
                description: plan.display().to_string(),
            };
            node = self.calls(graph, window, ordered, calls)?;
            places.extend(calls.iter().map(|call| width + call));
        }
        let schema = arrow_schema(plan);
        let columns = (0..places.len()).map(|column| {
            let place = places.iter().position(|place| *place == column);
            let place = place.expect("every call is made once");
            Arc::new(Column::new(schema.field(column).name(), place)) as Arc<dyn PhysicalExpr>
        });
        let columns = columns.collect();
        self.map(graph, node, "Columns in order".to_owned(), String::new(), columns, schema)
    }

    /// Adds the columns of some calls of a window, all over the same rows in the same order.
    fn calls(
        &self,
        graph: &mut Graph,
        window: &logical::Window,
        ordered: OrderedNode<'_>,
        calls: &[usize],
    ) -> Result<NodeId> {
        let Sorted { spec: mut sorted, definition, placement, .. } =
            self.sorted(graph, &ordered)?;
        let source = &graph.nodes[ordered.node].spec;
        let width = window.input.schema().fields().len();
        let results = calls.iter().map(|call| Arc::clone(&window.schema.fields()[width + call]));
        let fields = source.schema.fields().iter().cloned().chain(results);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let expressions: Vec<Expr> =
            calls.iter().map(|call| window.window_expr[*call].clone()).collect();
        let shifts = expressions.iter().map(|call| self.shift(call, ordered.columns));
        let shifts = shifts.collect::<Result<Option<Vec<ShiftCall>>>>()?;
        let arguments = expressions
            .iter()
            .filter_map(call_of)
            .flat_map(|call| call.params.args.iter().chain(call.params.filter.as_deref()));
        let arguments = arguments.map(|argument| self.expression(argument, ordered.columns));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let definition = definition_of(&expressions, &arguments) + &definition;
        let output = Arc::clone(&schema);
        let (kind, build): (&str, crate::graph::Build) = match shifts {
            Some(calls) => {
                let spec = ShiftSpec { schema, sorted, calls };
                ("shift", Box::new(move || boxed(Shift::new(spec.clone())?)))
            }
            None => {
                let functions = expressions.iter().map(|call| {
                    let (props, context) =
                        (ExecutionProps::new(), PhysicalPlanningContext::default());
                    create_window_expr(call, ordered.columns, &props, &context)
                });
                let functions = functions.collect::<Result<Vec<_>, _>>()?;
                let input = std::mem::replace(&mut sorted.schema, nullable(&schema));
                let batch_rows_max = self.config.batch_rows_max;
                let spec = PartitionsSpec { input, schema, sorted, functions, batch_rows_max };
                ("partitions", Box::new(move || boxed(Partitions::new(spec.clone())?)))
            }
        };
        let unique = source.unique.clone();
        graph.add(NodeSpec {
            definition: format!("{kind} {definition}"),
            description: ordered.description,
            inputs: vec![ordered.node],
            schema: output,
            is_append_only: false,
            unique,
            consolidation: Consolidation::Unknown,
            placement,
            recomputes: None,
            build,
        })
    }

    /// A call of `lag` or `lead` by a fixed number of rows, if it is one.
    fn shift(&self, expression: &Expr, columns: &DFSchema) -> Result<Option<ShiftCall>> {
        let Some(call) = call_of(expression) else { return Ok(None) };
        let WindowFunctionDefinition::WindowUDF(function) = &call.fun else { return Ok(None) };
        let sign = match function.name() {
            "lag" => 1,
            "lead" => -1,
            _ => return Ok(None),
        };
        let params = &call.params;
        if params.null_treatment == Some(NullTreatment::IgnoreNulls) || params.filter.is_some() {
            return Ok(None);
        }
        let value = self.expression(&params.args[0], columns)?;
        let data_type = value.data_type(columns.as_arrow())?;
        let offset = match params.args.get(1) {
            None => Some(1),
            Some(offset) => integer(offset).and_then(|offset| i64::try_from(offset).ok()),
        };
        let default = match params.args.get(2) {
            None => Some(ScalarValue::Null),
            Some(Expr::Literal(value, _)) => value.cast_to(&data_type).ok(),
            Some(_) => None,
        };
        Ok(match (offset, default) {
            (Some(offset), Some(default))
                if offset.unsigned_abs() <= SHIFT_MAX && data_type != DataType::Null =>
            {
                Some(ShiftCall { value, offset: offset * sign, default })
            }
            _ => None,
        })
    }
}

/// The call of a window function, whatever name it is given.
fn call_of(expression: &Expr) -> Option<&WindowFunction> {
    match expression {
        Expr::Alias(alias) => call_of(&alias.expr),
        Expr::WindowFunction(call) => Some(call),
        _ => None,
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

fn integer(expression: &Expr) -> Option<i128> {
    let Expr::Literal(value, _) = expression else { return None };
    match value.cast_to(&DataType::Decimal128(38, 0)).ok()? {
        ScalarValue::Decimal128(number, _, _) if value.data_type().is_integer() => number,
        _ => None,
    }
}
