//! Functions over different values: they read a grouping of the values instead of the rows.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, Cast};
use datafusion::logical_expr::{Expr, ExprSchemable, SortExpr};

use super::columns;
use super::exact::unaliased;
use crate::Result;
use crate::graph::Graph;
use crate::operator::Statistic;
use crate::plan::lower::Lowering;
use crate::plan::lower::subquery::Source;

/// Rows that functions read, with the key of their group.
pub(super) struct Input {
    pub source: Source,
    pub keys: Vec<Expr>,
}

/// A function and the place of its input.
pub(super) type PlacedCall = (usize, AggregateFunction);

/// Functions to which it is all the same how often a value is there.
const IGNORE_DUPLICATES: &[&str] = &[
    "min",
    "max",
    "first_value",
    "last_value",
    "any_value",
    "bool_and",
    "bool_or",
    "bit_and",
    "bit_or",
];

impl Lowering<'_> {
    /// What the functions of a grouping read: each function with the place of its input. The first input
    /// decides which groups there are.
    pub(super) fn inputs_of_calls(
        &self,
        graph: &mut Graph,
        source: &Source,
        keys: &[Expr],
        calls: Vec<AggregateFunction>,
    ) -> Result<(Vec<Input>, Vec<PlacedCall>)> {
        let mut inputs = vec![Input { source: source.clone(), keys: keys.to_vec() }];
        let mut placed = Vec::new();
        // An input of different values has rows of every group, unless it was filtered.
        let mut whole = None;
        for call in calls {
            if !call.params.distinct || IGNORE_DUPLICATES.contains(&call.func.name()) {
                placed.push((0, call));
                continue;
            }
            let is_whole = call.params.filter.is_none();
            let (values, call) = self.different_values(graph, source, keys, call)?;
            let known = inputs.iter().position(|input| input.source.node == values.source.node);
            let place = known.unwrap_or(inputs.len());
            if known.is_none() {
                inputs.push(values);
            }
            if is_whole {
                whole = Some(place);
            }
            placed.push((place, call));
        }
        if let Some(whole) = whole
            && placed.iter().all(|(input, _)| *input > 0)
        {
            // Nothing reads the rows themselves: they need not be grouped.
            inputs.swap(0, whole);
            inputs.swap_remove(whole);
            let last = inputs.len();
            for (input, _) in &mut placed {
                *input = match *input {
                    place if place == whole => 0,
                    place if place == last => whole,
                    place => place,
                };
            }
        }
        Ok((inputs, placed))
    }

    /// The different values a function reads, and the function over them.
    fn different_values(
        &self,
        graph: &mut Graph,
        source: &Source,
        keys: &[Expr],
        call: AggregateFunction,
    ) -> Result<(Input, AggregateFunction)> {
        let mut rows = source.clone();
        if let Some(filter) = &call.params.filter {
            let description = format!("Filter: {filter}");
            rows.node = self.filtered(graph, source, filter, description)?;
        }
        // Statistics see exact numbers under their casts.
        let is_statistic = Statistic::named(call.func.name()).is_some();
        let under_cast = |value: &Expr| match unaliased(value) {
            Expr::Cast(Cast { expr, field }) if is_statistic => {
                (expr.as_ref().clone(), Some(Arc::clone(field)))
            }
            _ => (value.clone(), None),
        };
        let values = call.params.args.iter().filter(|value| !is_literal(value));
        let mut values: Vec<Expr> = values.map(|value| under_cast(value).0).collect();
        if keys.is_empty() && values.is_empty() {
            // Without a value to group by there would be a group even where there are no rows.
            values.extend(call.params.args.first().cloned());
        }
        if call.params.order_by.iter().any(|sort| !values.contains(&sort.expr)) {
            return Err(self.unsupported_expression(
                &Expr::AggregateFunction(call.clone()),
                "order different values by themselves",
            ));
        }
        let read = [keys, values.as_slice()].concat();
        let names: Vec<String> = (0..read.len()).map(|at| format!("__value_{at}")).collect();
        let types = read.iter().map(|value| value.get_type(&source.schema));
        let types = types.collect::<Result<Vec<_>, _>>()?;
        let schema = columns(names.iter().cloned().zip(types));
        let node = self.group(graph, &rows, &read, &[], Arc::clone(&schema))?;
        let column = |at: usize| Expr::Column(Column::from_name(&names[at]));
        let over = |value: &Expr| {
            let (inner, cast) = under_cast(value);
            match (values.iter().position(|other| *other == inner), cast) {
                (None, _) => value.clone(),
                (Some(at), None) => column(keys.len() + at),
                (Some(at), Some(field)) => {
                    Expr::Cast(Cast { expr: Box::new(column(keys.len() + at)), field })
                }
            }
        };
        let AggregateFunctionParams { args, order_by, null_treatment, .. } = call.params;
        let params = AggregateFunctionParams {
            args: args
                .iter()
                .enumerate()
                .map(|(at, arg)| if at > 0 && is_literal(arg) { arg.clone() } else { over(arg) })
                .collect(),
            distinct: false,
            filter: None,
            order_by: order_by
                .iter()
                .map(|sort| SortExpr { expr: over(&sort.expr), ..*sort })
                .collect(),
            null_treatment,
        };
        let source = Source { node, schema: Arc::new(DFSchema::try_from(schema)?) };
        let keys = (0..keys.len()).map(column).collect();
        Ok((Input { source, keys }, AggregateFunction { func: call.func, params }))
    }
}

pub(super) fn is_literal(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(_, _))
}
