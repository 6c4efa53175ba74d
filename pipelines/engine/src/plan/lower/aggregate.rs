//! Lowering of groupings.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;

use super::{Lowering, arrow_schema, boxed, definition_of, physical};
use crate::consolidation::Consolidation;
use crate::graph::{Graph, NodeId, NodeSpec, Placement};
use crate::operator::{
    Aggregate as GroupBy, AggregateCall, AggregateSpec, Function, Pick, can_sum,
};
use crate::{Error, Result};

impl Lowering<'_> {
    pub(super) fn aggregate(
        &self,
        graph: &mut Graph,
        plan: &LogicalPlan,
        aggregate: &Aggregate,
    ) -> Result<NodeId> {
        let input = self.lower(graph, &aggregate.input)?;
        let source = &graph.nodes[input].spec;
        let spec = lower_aggregate(
            self,
            aggregate,
            &source.schema,
            arrow_schema(plan),
            source.is_append_only,
        )?;
        let calls = spec.calls.iter().flat_map(|call| call.arguments.iter().chain(&call.filter));
        let read: Vec<_> = spec.keys.iter().chain(calls).map(Arc::clone).collect();
        let logical = definition_of(&aggregate.aggr_expr, &read);
        let only_adds = spec.calls.is_empty() && source.is_append_only;
        graph.add(NodeSpec {
            definition: format!("aggregate {} {logical}", spec.keys.len()),
            description: plan.display().to_string(),
            inputs: vec![input],
            schema: Arc::clone(&spec.schema),
            is_append_only: only_adds,
            unique: (!spec.keys.is_empty()).then(|| (0..spec.keys.len()).collect()),
            consolidation: Consolidation::Always,
            placement: Placement::by_group(&spec.keys),
            recomputes: None,
            build: Box::new(move || boxed(GroupBy::new(spec.clone())?)),
        })
    }
}

/// The grouping's functions and where each result column comes from.
#[derive(Default)]
struct Calls {
    calls: Vec<AggregateCall>,
    results: Vec<(usize, usize)>,
    /// `first_value` and `last_value` by what they order and filter on: those alike share one state.
    picks: Vec<(String, usize)>,
}

fn lower_aggregate(
    lowering: &Lowering<'_>,
    plan: &Aggregate,
    input: &SchemaRef,
    schema: SchemaRef,
    is_append_only: bool,
) -> Result<AggregateSpec> {
    let unsupported = |construct: &Expr, instead: &str| lowering.unsupported(construct, instead);
    let mut keys = Vec::new();
    for key in &plan.group_expr {
        if let Expr::GroupingSet(_) = key {
            return Err(unsupported(
                key,
                "write one view per grouping and put them together with union all",
            ));
        }
        keys.push(lowering.expression(key, plan.input.schema())?);
    }
    let mut calls = Calls::default();
    for (at, expression) in plan.aggr_expr.iter().enumerate() {
        let Expr::AggregateFunction(call) = unalias(expression) else {
            return Err(unsupported(expression, "write an aggregate function"));
        };
        let output = schema.field(plan.group_expr.len() + at).data_type().clone();
        calls.add(lowering, plan, call, input, output)?;
    }
    let Calls { calls, results, .. } = calls;
    Ok(AggregateSpec { schema, keys, calls, results, is_append_only })
}

fn unalias(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unalias(&alias.expr),
        other => other,
    }
}

impl Calls {
    fn add(
        &mut self,
        lowering: &Lowering<'_>,
        plan: &Aggregate,
        call: &AggregateFunction,
        input: &Schema,
        output: DataType,
    ) -> Result<()> {
        let unsupported =
            |instead: &str| lowering.unsupported(&Expr::AggregateFunction(call.clone()), instead);
        let params = &call.params;
        let name = call.func.name();
        let columns = plan.input.schema();
        let arguments = params.args.iter().map(|argument| lowering.expression(argument, columns));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let types = arguments
            .iter()
            .map(|argument| argument.data_type(input))
            .collect::<Result<Vec<_>, _>>()?;
        let filter = params
            .filter
            .as_ref()
            .map(|filter| lowering.expression(filter, columns))
            .transpose()?;
        let ignores_duplicates = matches!(name, "min" | "max" | "first_value" | "last_value");
        if params.distinct && !ignores_duplicates {
            return Err(unsupported(
                "group by the argument in a view of its own and aggregate that",
            ));
        }
        let function = match name {
            "count" => {
                let counted = params
                    .args
                    .iter()
                    .zip(&arguments)
                    .filter(|(argument, _)| !is_never_null(argument));
                let arguments = counted.map(|(_, argument)| Arc::clone(argument)).collect();
                self.push(AggregateCall { function: Function::Count, arguments, filter });
                return Ok(());
            }
            "sum" | "avg" if can_sum(&types[0]) => {
                let input = types[0].clone();
                let is_sum = name == "sum";
                if is_sum {
                    Function::Sum { input, output }
                } else {
                    Function::Average { input, output }
                }
            }
            "min" | "max" => Function::Pick(Pick {
                arguments: vec![(types[0].clone(), SortOptions::default())],
                outputs: 1,
                is_last: name == "max",
                skips_nulls: true,
            }),
            "first_value" | "last_value" => {
                if params.order_by.is_empty() {
                    return Err(unsupported("say which row: last_value(x order by y)"));
                }
                return self.add_pick(
                    lowering,
                    plan,
                    call,
                    input,
                    &types[0],
                    &arguments[0],
                    filter,
                );
            }
            _ => {
                return Err(unsupported(
                    "of aggregates, count, sum, avg, min, max, first_value and last_value are kept; \
                     cast sums to a 64-bit integer, a decimal(38) or a double",
                ));
            }
        };
        if let Function::Pick(pick) = &function {
            check_sortable(pick, &unsupported)?;
        }
        self.push(AggregateCall { function, arguments, filter });
        Ok(())
    }

    fn push(&mut self, call: AggregateCall) {
        self.results.push((self.calls.len(), 0));
        self.calls.push(call);
    }

    /// Adds `first_value` or `last_value`, as a further column of one with the same order if there is one.
    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one call, taken apart by its only caller"
    )]
    fn add_pick(
        &mut self,
        lowering: &Lowering<'_>,
        plan: &Aggregate,
        call: &AggregateFunction,
        input: &Schema,
        value_type: &DataType,
        value: &Arc<dyn PhysicalExpr>,
        filter: Option<Arc<dyn PhysicalExpr>>,
    ) -> Result<()> {
        let params = &call.params;
        let skips_nulls = params.null_treatment == Some(NullTreatment::IgnoreNulls);
        let is_last = call.func.name() == "last_value";
        let shared_by = format!("{is_last} {:?} {:?}", params.order_by, params.filter);
        let shared =
            self.picks.iter().find(|(key, _)| *key == shared_by && !skips_nulls).map(|(_, at)| *at);
        if let Some(at) = shared {
            let AggregateCall { function: Function::Pick(pick), arguments, .. } =
                &mut self.calls[at]
            else {
                unreachable!("only picks are noted as such");
            };
            pick.arguments.push((value_type.clone(), SortOptions::default()));
            arguments.push(Arc::clone(value));
            self.results.push((at, pick.outputs));
            pick.outputs += 1;
            return Ok(());
        }
        let mut arguments = Vec::new();
        let mut order = Vec::new();
        for sort in &params.order_by {
            let expression = physical(&sort.expr, plan.input.schema())?;
            let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            order.push((expression.data_type(input)?, options));
            arguments.push(expression);
        }
        order.push((value_type.clone(), SortOptions::default()));
        arguments.push(Arc::clone(value));
        let pick = Pick { arguments: order, outputs: 1, is_last, skips_nulls };
        check_sortable(&pick, &|instead| {
            lowering.unsupported(&Expr::AggregateFunction(call.clone()), instead)
        })?;
        if !skips_nulls {
            self.picks.push((shared_by, self.calls.len()));
        }
        self.push(AggregateCall { function: Function::Pick(pick), arguments, filter });
        Ok(())
    }
}

fn is_never_null(argument: &Expr) -> bool {
    matches!(argument, Expr::Literal(value, _) if !value.is_null())
}

fn check_sortable(pick: &Pick, unsupported: &dyn Fn(&str) -> Error) -> Result<()> {
    let fields: Vec<SortField> =
        pick.arguments.iter().map(|(data_type, _)| SortField::new(data_type.clone())).collect();
    if RowConverter::supports_fields(&fields) {
        Ok(())
    } else {
        Err(unsupported("its values have no order"))
    }
}
