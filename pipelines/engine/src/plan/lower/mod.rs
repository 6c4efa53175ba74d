//! One operator per plan node.

mod aggregate;
mod constant;
mod join;
mod limit;
mod linear;
mod ordered;
mod recompute;
mod subquery;
mod threshold;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::TreeNode;
use datafusion::execution::SessionState;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use crate::fault::{Fault, Place, Text};
use crate::graph::{Graph, NodeId};
use crate::operator::Operator;
use crate::{EngineConfig, Error, Result};

/// Nodes of relations and views by name.
pub(crate) type Catalog = HashMap<String, NodeId>;

/// What a view's lowering needs to know.
struct Lowering<'a> {
    view: &'a str,
    text: &'a Text<'a>,
    catalog: &'a Catalog,
    config: &'a EngineConfig,
    /// What queries are run with that are not kept by operators.
    state: &'a Arc<SessionState>,
}

/// Adds the operators of a view's plan to the graph and gives the last one.
pub(crate) fn lower(
    graph: &mut Graph,
    catalog: &Catalog,
    config: &EngineConfig,
    state: &Arc<SessionState>,
    (view, text): (&str, &Text<'_>),
    plan: &LogicalPlan,
) -> Result<NodeId> {
    Lowering { view, text, catalog, config, state }.lower(graph, plan)
}

/// An expression over columns of `schema`, ready to be evaluated.
pub(crate) fn physical(expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    Ok(create_physical_expr(
        expression,
        schema,
        &ExecutionProps::new(),
        &PhysicalPlanningContext::default(),
    )?)
}

/// The same columns, all of which may be null.
fn nullable(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn arrow_schema(plan: &LogicalPlan) -> SchemaRef {
    Arc::clone(plan.schema().inner())
}

/// Text that decides what an expression computes: columns by place, literals with their types.
fn definition_of(logical: &[Expr], physical: &[Arc<dyn PhysicalExpr>]) -> String {
    let logical = logical.iter().map(ToString::to_string);
    let physical = physical.iter().map(ToString::to_string);
    logical.chain(physical).collect::<Vec<_>>().join("\u{1}")
}

impl Lowering<'_> {
    /// The refusal of a plan node or expression that stands at `place`.
    fn unsupported(
        &self,
        construct: &dyn std::fmt::Display,
        place: Option<Place>,
        instead: &str,
    ) -> Error {
        let problem = format!("{construct} is not supported");
        Error::Unsupported(Box::new(Fault::of_view(self.view, problem, place).with_help(instead)))
    }

    fn unsupported_expression(&self, expression: &Expr, instead: &str) -> Error {
        self.unsupported(expression, self.text.expression(expression), instead)
    }

    /// An expression over columns of `schema`; subqueries that are left in it cannot be kept.
    fn expression(&self, expression: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
        let is_subquery = |part: &Expr| {
            Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)))
        };
        if expression.exists(is_subquery)? {
            return Err(self.unsupported(
                &"a subquery inside an expression",
                self.text.expression(expression),
                "make it a view of its own and join it (a one-row view with cross join)",
            ));
        }
        physical(expression, schema)
    }

    fn expressions(
        &self,
        expressions: &[Expr],
        schema: &DFSchema,
    ) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
        expressions.iter().map(|expression| self.expression(expression, schema)).collect()
    }

    /// The node that gives `plan`: by an operator where there is one for it, else by running it again.
    fn lower(&self, graph: &mut Graph, plan: &LogicalPlan) -> Result<NodeId> {
        let first_new = graph.nodes.len();
        match self.operator(graph, plan) {
            Err(Error::Unsupported(refusal)) => {
                graph.truncate(first_new);
                self.recompute(graph, plan, refusal)
            }
            lowered => lowered,
        }
    }

    fn operator(&self, graph: &mut Graph, plan: &LogicalPlan) -> Result<NodeId> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(graph, scan),
            LogicalPlan::Projection(projection) => self.projection(graph, plan, projection),
            LogicalPlan::Filter(filter) => self.filter(graph, plan, filter),
            LogicalPlan::SubqueryAlias(alias) => self.lower(graph, &alias.input),
            LogicalPlan::Union(union) => self.union(graph, plan, union),
            LogicalPlan::Unnest(unnest) => self.unnest(graph, plan, unnest),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(graph, plan, aggregate),
            LogicalPlan::Join(join) => self.join(graph, plan, join),
            LogicalPlan::EmptyRelation(empty) => self.empty(graph, plan, empty),
            LogicalPlan::Values(values) => self.constant(graph, plan, self.values(values)?),
            LogicalPlan::Sort(sort) => self.sort(graph, plan, sort),
            LogicalPlan::Limit(limit) => self.limit(graph, plan, limit),
            LogicalPlan::Window(window) => self.window(graph, plan, window),
            LogicalPlan::Distinct(_) => {
                let instead = "write group by with first_value(x order by y)";
                Err(self.unsupported(&plan.display(), self.text.words(&["distinct"]), instead))
            }
            LogicalPlan::RecursiveQuery(query) => {
                let named = || self.text.words(&[&query.name, "as"]);
                let place = self.text.words(&["recursive"]).or_else(named);
                Err(self.unsupported(&plan.display(), place, "write a fixed number of joins"))
            }
            _ => Err(self.unsupported(
                &plan.display(),
                None,
                "write it with select, join, union all and group by",
            )),
        }
    }
}

fn boxed(operator: impl Operator + 'static) -> Result<Box<dyn Operator>> {
    Ok(Box::new(operator))
}
