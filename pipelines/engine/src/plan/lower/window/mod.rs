//! Window functions.

mod kinds;
mod rank;

use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{self as logical, Expr, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_planner::create_window_expr;

use self::kinds::Kind;
use super::ordered::{OrderedNode, Sorted};
use super::{Lowering, arrow_schema, boxed, definition_of, nullable};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Build, Graph, NodeId, NodeSpec};
use crate::operator::{Partitions, PartitionsSpec, Running, RunningSpec, Shift, ShiftSpec};

impl Lowering<'_> {
    pub(super) fn window(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        window: &logical::Window,
    ) -> Result<NodeId> {
        let mut node = self.lower(graph, &window.input)?;
        let width = window.input.schema().fields().len();
        // Calls of one kind over the same rows in the same order share what is kept. Those of several kinds do
        // so as well where rows can be equal in the order: all of them must see such rows in one order.
        let mut shared: Vec<(&WindowFunction, Kind, Vec<usize>)> = Vec::new();
        for (at, expression) in window.window_expr.iter().enumerate() {
            let Some(call) = call_of(expression) else {
                return Err(self.unsupported_expression(expression, "write a window function"));
            };
            let kind = self.kind(call, &window.input, &window.schema.fields()[width + at])?;
            let has_ties = has_ties(graph, node, call, window.input.schema());
            let is_shared = |(other, kinds, _): &&mut (&WindowFunction, Kind, Vec<usize>)| {
                other.params.partition_by == call.params.partition_by
                    && other.params.order_by == call.params.order_by
                    && (has_ties || kinds.is_like(&kind))
            };
            match shared.iter_mut().find(is_shared) {
                Some((_, kinds, calls)) => {
                    kinds.extend(kind);
                    calls.push(at);
                }
                None => shared.push((call, kind, vec![at])),
            }
        }
        let mut places: Vec<usize> = (0..width).collect();
        for (call, kind, calls) in shared {
            let ordered = OrderedNode {
                node,
                columns: window.input.schema(),
                partition: &call.params.partition_by,
                order: &call.params.order_by,
                description: plan.display().to_string(),
            };
            node = self.calls(graph, window, ordered, kind, &calls)?;
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
        kind: Kind,
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
        let arguments = expressions
            .iter()
            .filter_map(call_of)
            .flat_map(|call| call.params.args.iter().chain(call.params.filter.as_deref()));
        let arguments = arguments.map(|argument| self.expression(argument, ordered.columns));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let definition = definition_of(&expressions, &arguments) + &definition;
        let output = Arc::clone(&schema);
        let (name, build): (&str, Build) = match kind {
            Kind::Shifts(calls) => {
                let spec = ShiftSpec { schema, sorted, calls };
                ("shift", Box::new(move || boxed(Shift::new(spec.clone())?)))
            }
            Kind::Totals(calls) => {
                let spec = RunningSpec { schema, sorted, calls };
                ("running", Box::new(move || boxed(Running::new(spec.clone())?)))
            }
            Kind::Others => {
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
            definition: format!("{name} {definition}"),
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
}

/// Whether rows of one partition may be equal in the order of a call.
fn has_ties(graph: &Graph, node: NodeId, call: &WindowFunction, columns: &DFSchema) -> bool {
    let order = call.params.order_by.iter().map(|sort| &sort.expr);
    let read = call.params.partition_by.iter().chain(order).filter_map(|part| match part {
        Expr::Column(column) => columns.maybe_index_of_column(column),
        _ => None,
    });
    let read: Vec<usize> = read.collect();
    let unique = graph.nodes[node].spec.unique.as_ref();
    unique.is_none_or(|unique| unique.iter().any(|column| !read.contains(column)))
}

/// The call of a window function, whatever name it is given.
fn call_of(expression: &Expr) -> Option<&WindowFunction> {
    match expression {
        Expr::Alias(alias) => call_of(&alias.expr),
        Expr::WindowFunction(call) => Some(call),
        _ => None,
    }
}

fn integer(expression: &Expr) -> Option<i128> {
    let Expr::Literal(value, _) = expression else { return None };
    match value.cast_to(&DataType::Decimal128(38, 0)).ok()? {
        ScalarValue::Decimal128(number, _, _) if value.data_type().is_integer() => number,
        _ => None,
    }
}
