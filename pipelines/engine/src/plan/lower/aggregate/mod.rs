//! Lowering of groupings.

mod call;
mod distinct;
mod exact;
mod grouping;

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Literal, binary};

use self::call::Calls;
use self::distinct::Input;
use super::subquery::Source;
use super::{Lowering, arrow_schema, boxed, definition_of};
use crate::Result;
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::{Aggregate as GroupBy, AggregateSpec};

impl Lowering<'_> {
    pub(super) fn aggregate(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        aggregate: &Aggregate,
    ) -> Result<NodeId> {
        let inlined = exact::over_casts(aggregate)?;
        let aggregate = inlined.as_ref().unwrap_or(aggregate);
        let groups = aggregate.group_expr.len();
        let expressions = [aggregate.group_expr.as_slice(), &aggregate.aggr_expr].concat();
        let (source, mut expressions) = self.source(graph, &aggregate.input, &expressions)?;
        let functions = expressions.split_off(groups);
        let schema = arrow_schema(plan);
        match expressions.as_slice() {
            [Expr::GroupingSet(set)] => {
                self.grouping_sets(graph, &source, set, &functions, &schema)
            }
            keys => self.group(graph, &source, keys, &functions, schema),
        }
    }

    /// One grouping: key columns, then results.
    fn group(
        &self,
        graph: &mut Graph,
        source: &Source,
        keys: &[Expr],
        functions: &[Expr],
        schema: SchemaRef,
    ) -> Result<NodeId> {
        let calls = functions.iter().map(|function| self.function(function));
        let calls = calls.collect::<Result<Vec<_>>>()?;
        let (inputs, calls) = self.inputs_of_calls(graph, source, keys, calls)?;
        let mut made = Calls::new(self);
        for (at, (input, call)) in calls.iter().enumerate() {
            let output = schema.field(keys.len() + at).data_type();
            made.add(*input, &inputs[*input].source.schema, call, output)?;
        }
        let spec = AggregateSpec {
            schema: Arc::clone(&schema),
            keys: inputs.iter().map(|input| self.keys(input)).collect::<Result<_>>()?,
            calls: made.calls,
            results: made.results,
            is_append_only: graph.nodes[source.node].spec.is_append_only,
        };
        let read_by_calls =
            spec.calls.iter().flat_map(|call| call.arguments.iter().chain(&call.filter));
        let read: Vec<_> =
            spec.keys.iter().flatten().chain(read_by_calls).map(Arc::clone).collect();
        let inputs_read: Vec<usize> = calls.iter().map(|(input, _)| *input).collect();
        let functions_text: Vec<Expr> =
            calls.iter().map(|(_, call)| Expr::AggregateFunction(call.clone())).collect();
        let text = definition_of(&functions_text, &read);
        let list = |expressions: &[Expr]| {
            expressions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        let description =
            format!("Aggregate: groupBy=[[{}]], aggr=[[{}]]", list(keys), list(functions));
        let definition = format!("{inputs_read:?} {text}");
        let nodes = inputs.iter().map(|input| input.source.node).collect();
        self.add_aggregate(graph, nodes, spec, &definition, description)
    }

    /// Adds a grouping that `definition` tells from others over the same inputs.
    pub(super) fn add_aggregate(
        &self,
        graph: &mut Graph,
        inputs: Vec<NodeId>,
        spec: AggregateSpec,
        definition: &str,
        description: String,
    ) -> Result<NodeId> {
        let width = spec.key_width();
        graph.add(NodeSpec {
            definition: format!("aggregate {width} {definition}"),
            description,
            inputs,
            schema: Arc::clone(&spec.schema),
            is_append_only: spec.calls.is_empty() && spec.is_append_only,
            unique: Some((0..width).collect()),
            consolidation: Consolidation::Always,
            placement: Placement::by_group(&spec.keys),
            recomputes: None,
            build: Box::new(move || boxed(GroupBy::new(spec.clone())?)),
        })
    }

    /// The key expressions of an input. Zeros of either sign are one group, as in batch SQL.
    fn keys(&self, input: &Input) -> Result<Vec<Arc<dyn PhysicalExpr>>> {
        let schema = input.source.schema.as_arrow();
        let mut keys = self.expressions(&input.keys, &input.source.schema)?;
        for key in &mut keys {
            let data_type = key.data_type(schema)?;
            if data_type.is_floating() {
                let zero = Arc::new(Literal::new(ScalarValue::new_zero(&data_type)?));
                *key = binary(Arc::clone(key), Operator::Plus, zero, schema)?;
            }
        }
        Ok(keys)
    }

    fn function(&self, expression: &Expr) -> Result<AggregateFunction> {
        match expression {
            Expr::Alias(alias) => self.function(&alias.expr),
            Expr::AggregateFunction(call) => Ok(call.clone()),
            _ => Err(self.unsupported_expression(expression, "write an aggregate function")),
        }
    }
}

/// A schema of columns that may be null.
fn columns(fields: impl IntoIterator<Item = (String, arrow::datatypes::DataType)>) -> SchemaRef {
    let fields = fields.into_iter().map(|(name, data_type)| Field::new(name, data_type, true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
