//! One function of a grouping: what it keeps and what it reads.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::{AggregateFunction, NullTreatment};
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::cast;
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};

use super::distinct::is_literal;
use crate::operator::{
    AggregateCall, Function, Moments, Partition, PartitionArgument, Pick, Statistic, average_input,
    can_sum,
};
use crate::plan::lower::Lowering;
use crate::{Error, Result};

/// The grouping's functions and where each result column comes from.
pub(super) struct Calls<'a> {
    lowering: &'a Lowering<'a>,
    pub calls: Vec<AggregateCall>,
    pub results: Vec<(usize, usize)>,
    /// `first_value` and `last_value` by what they order and filter on: those alike share one state.
    picks: Vec<(String, usize)>,
}

/// A call with its parts lowered.
struct Parts<'a> {
    call: &'a AggregateFunction,
    input: usize,
    columns: &'a DFSchema,
    schema: SchemaRef,
    arguments: Vec<Arc<dyn PhysicalExpr>>,
    types: Vec<DataType>,
    filter: Option<Arc<dyn PhysicalExpr>>,
}

impl Parts<'_> {
    fn skips_nulls(&self) -> bool {
        self.call.params.null_treatment == Some(NullTreatment::IgnoreNulls)
    }

    fn with(self, function: Function, arguments: Vec<Arc<dyn PhysicalExpr>>) -> AggregateCall {
        AggregateCall { function, input: self.input, arguments, filter: self.filter }
    }
}

impl<'a> Calls<'a> {
    pub fn new(lowering: &'a Lowering<'a>) -> Self {
        Self { lowering, calls: Vec::new(), results: Vec::new(), picks: Vec::new() }
    }

    /// Adds a function over `columns`, the rows of input `input`.
    pub fn add(
        &mut self,
        input: usize,
        columns: &DFSchema,
        call: &AggregateFunction,
        output: &DataType,
    ) -> Result<()> {
        let parts = self.parts(input, columns, call)?;
        let name = call.func.name();
        let output = output.clone();
        match name {
            "count" => {
                let counted = call.params.args.iter().zip(&parts.arguments);
                let counted = counted.filter(|(argument, _)| !is_never_null(argument));
                let arguments = counted.map(|(_, argument)| Arc::clone(argument)).collect();
                self.push(parts.with(Function::Count, arguments));
            }
            "sum" if can_sum(&parts.types[0]) => {
                let function = Function::Sum { input: parts.types[0].clone(), output };
                let arguments = parts.arguments.clone();
                self.push(parts.with(function, arguments));
            }
            "avg" if average_input(&parts.types[0]).is_some() => {
                let input = average_input(&parts.types[0]).expect("invariant: asked above");
                let argument = Arc::clone(&parts.arguments[0]);
                let argument = cast(argument, &parts.schema, input.clone())?;
                self.push(parts.with(Function::Average { input, output }, vec![argument]));
            }
            // Of flags, false is the least.
            "min" | "bool_and" | "any_value" => self.add_extreme(parts, false)?,
            "max" | "bool_or" => self.add_extreme(parts, true)?,
            "first_value" => self.add_pick(parts, false)?,
            "last_value" => self.add_pick(parts, true)?,
            _ => match Statistic::named(name) {
                Some(statistic) => self.add_statistic(parts, statistic, output)?,
                None => self.add_partition(parts, output)?,
            },
        }
        Ok(())
    }

    fn parts<'p>(
        &self,
        input: usize,
        columns: &'p DFSchema,
        call: &'p AggregateFunction,
    ) -> Result<Parts<'p>> {
        let schema = Arc::clone(columns.inner());
        let arguments = self.lowering.expressions(&call.params.args, columns)?;
        let types = arguments.iter().map(|argument| argument.data_type(&schema));
        let types = types.collect::<Result<Vec<_>, _>>()?;
        let filter = call.params.filter.as_ref();
        let filter = filter.map(|filter| self.lowering.expression(filter, columns)).transpose()?;
        Ok(Parts { call, input, columns, schema, arguments, types, filter })
    }

    fn push(&mut self, call: AggregateCall) {
        self.results.push((self.calls.len(), 0));
        self.calls.push(call);
    }

    fn unsupported(&self, call: &AggregateFunction, instead: &str) -> Error {
        self.lowering.unsupported_expression(&Expr::AggregateFunction(call.clone()), instead)
    }

    fn check_sortable(&self, call: &AggregateFunction, fields: &[SortField]) -> Result<()> {
        match RowConverter::supports_fields(fields) {
            true => Ok(()),
            false => Err(self.unsupported(call, "its values have no order")),
        }
    }

    fn add_extreme(&mut self, parts: Parts<'_>, is_last: bool) -> Result<()> {
        // Nulls within lists are greater than all values, as in batch SQL.
        let order = SortOptions { descending: false, nulls_first: false };
        let pick = Pick {
            arguments: vec![(parts.types[0].clone(), order)],
            outputs: 1,
            is_last,
            skips_nulls: true,
        };
        self.check_sortable(parts.call, &sort_fields(&pick.arguments))?;
        let arguments = parts.arguments.clone();
        self.push(parts.with(Function::Pick(pick), arguments));
        Ok(())
    }

    /// Adds `first_value` or `last_value`, as a further column of one with the same order if there is one.
    /// Without an order, rows stand in that of their values.
    fn add_pick(&mut self, parts: Parts<'_>, is_last: bool) -> Result<()> {
        let params = &parts.call.params;
        let skips_nulls = parts.skips_nulls();
        let (value, value_type) = (Arc::clone(&parts.arguments[0]), parts.types[0].clone());
        let shared_by = format!("{is_last} {:?} {:?}", params.order_by, params.filter);
        let shared = self.picks.iter().find(|(key, _)| *key == shared_by && !skips_nulls);
        if let Some(at) = shared.map(|(_, at)| *at) {
            let AggregateCall { function: Function::Pick(pick), arguments, .. } =
                &mut self.calls[at]
            else {
                unreachable!("only picks are noted as such");
            };
            pick.arguments.push((value_type, SortOptions::default()));
            arguments.push(value);
            self.results.push((at, pick.outputs));
            pick.outputs += 1;
            return Ok(());
        }
        let (mut arguments, mut order) = self.order(&parts)?;
        order.push((value_type, SortOptions::default()));
        arguments.push(value);
        self.check_sortable(parts.call, &sort_fields(&order))?;
        if !skips_nulls {
            self.picks.push((shared_by, self.calls.len()));
        }
        let pick = Pick { arguments: order, outputs: 1, is_last, skips_nulls };
        self.push(parts.with(Function::Pick(pick), arguments));
        Ok(())
    }

    /// What a call's rows are ordered by.
    fn order(&self, parts: &Parts<'_>) -> Result<(Expressions, Vec<OrderColumn>)> {
        let (mut expressions, mut order) = (Vec::new(), Vec::new());
        for sort in &parts.call.params.order_by {
            let expression = self.lowering.expression(&sort.expr, parts.columns)?;
            let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            order.push((expression.data_type(&parts.schema)?, options));
            expressions.push(expression);
        }
        Ok((expressions, order))
    }

    fn add_statistic(
        &mut self,
        parts: Parts<'_>,
        statistic: Statistic,
        output: DataType,
    ) -> Result<()> {
        let exact = self.lowering.exact_arguments(&parts.call.params.args, parts.columns)?;
        let Some((arguments, scales)) = exact else { return self.add_partition(parts, output) };
        let moments = Moments { statistic, scales };
        self.push(parts.with(Function::Moments(moments), arguments));
        Ok(())
    }

    /// Adds a function that runs afresh over the rows of a group.
    fn add_partition(&mut self, parts: Parts<'_>, output: DataType) -> Result<()> {
        let call = parts.call;
        let (mut kept, mut columns) = self.order(&parts)?;
        let mut builder =
            AggregateExprBuilder::new(Arc::clone(&call.func), parts.arguments.clone())
                .schema(Arc::clone(&parts.schema))
                .alias(call.func.name())
                .with_ignore_nulls(parts.skips_nulls());
        if call.func.supports_within_group_clause() {
            // Their order is that of the argument and says which end to count from.
            let sorts = kept.drain(..).zip(columns.drain(..));
            let sorts = sorts.map(|(expr, (_, options))| PhysicalSortExpr { expr, options });
            builder = builder.order_by(sorts.collect());
        }
        let mut arguments = Vec::new();
        for (at, argument) in call.params.args.iter().enumerate() {
            arguments.push(match argument {
                Expr::Literal(value, _) if has_column(&call.params.args) || at > 0 => {
                    PartitionArgument::Literal(value.clone())
                }
                _ => {
                    columns.push((parts.types[at].clone(), SortOptions::default()));
                    kept.push(Arc::clone(&parts.arguments[at]));
                    PartitionArgument::Column(columns.len() - 1)
                }
            });
        }
        // What the function cannot compute of these types is told now, not with the first row.
        let function = builder.build().and_then(|function| {
            function.create_accumulator()?;
            Ok(Arc::new(function))
        });
        let function = function.map_err(|error| {
            let instead = format!("it cannot be computed group by group: {error}");
            self.unsupported(call, &instead)
        })?;
        let partition = Partition { function, columns, arguments, output };
        let (rows, result) = partition.fields();
        self.check_sortable(call, &rows)?;
        self.check_sortable(call, &result)?;
        self.push(parts.with(Function::Partition(partition), kept));
        Ok(())
    }
}

type Expressions = Vec<Arc<dyn PhysicalExpr>>;

/// Type and order of a column.
type OrderColumn = (DataType, SortOptions);

fn sort_fields(columns: &[OrderColumn]) -> Vec<SortField> {
    columns.iter().map(|(data_type, _)| SortField::new(data_type.clone())).collect()
}

fn has_column(arguments: &[Expr]) -> bool {
    !arguments.iter().all(is_literal)
}

fn is_never_null(argument: &Expr) -> bool {
    matches!(argument, Expr::Literal(value, _) if !value.is_null())
}
