//! Exact numbers under the casts to floats that statistics ask for.

use std::sync::Arc;

use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::expr::Cast;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::cast;

use crate::Result;
use crate::operator::Statistic;
use crate::plan::lower::Lowering;

/// Digits a number may have so that sums of its squares fit 256 bits, whatever the rows.
const EXACT_PRECISION_MAX: u8 = 28;

/// Numbers as decimals, with the digits behind their points.
type Exact = (Vec<Arc<dyn PhysicalExpr>>, [i8; 2]);

impl Lowering<'_> {
    /// The arguments of a statistic as decimals with their scales, if all are casts of exact numbers.
    pub(super) fn exact_arguments(
        &self,
        arguments: &[Expr],
        schema: &datafusion::common::DFSchema,
    ) -> Result<Option<Exact>> {
        let mut exact = Vec::new();
        let mut scales = [0; 2];
        for (at, argument) in arguments.iter().enumerate() {
            let Expr::Cast(Cast { expr, .. }) = unaliased(argument) else { return Ok(None) };
            let number = self.expression(expr, schema)?;
            let columns: &Schema = schema.as_arrow();
            let Some(scale) = exact_scale(&number.data_type(columns)?) else { return Ok(None) };
            let decimal = DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale);
            exact.push(cast(number, columns, decimal)?);
            scales[at] = scale;
        }
        Ok(Some((exact, scales)))
    }
}

/// Digits behind the point of numbers whose squares can be summed up exactly.
fn exact_scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => Some(*scale),
        DataType::Decimal128(precision, scale) if *precision <= EXACT_PRECISION_MAX => Some(*scale),
        other if other.is_integer() => Some(0),
        _ => None,
    }
}

/// The grouping over what a projection of mere casts reads, where statistics read its columns: equal casts of
/// several functions are taken out into such a projection, behind which exact numbers cannot be seen.
pub(super) fn over_casts(aggregate: &Aggregate) -> Result<Option<Aggregate>> {
    let LogicalPlan::Projection(projection) = aggregate.input.as_ref() else { return Ok(None) };
    let plain = |expression: &Expr| match expression {
        Expr::Cast(cast) => matches!(*cast.expr, Expr::Column(_)),
        other => matches!(other, Expr::Column(_)),
    };
    let sources: Vec<&Expr> = projection.expr.iter().map(unaliased).collect();
    let asks_statistics = aggregate.aggr_expr.iter().any(|function| {
        matches!(unaliased(function), Expr::AggregateFunction(call) if Statistic::named(call.func.name()).is_some())
    });
    let has_casts = sources.iter().any(|source| matches!(source, Expr::Cast(_)));
    if !asks_statistics || !has_casts || !sources.iter().all(|source| plain(source)) {
        return Ok(None);
    }
    let inline = |expression: &Expr| {
        let inlined = expression.clone().transform_up(|part| match &part {
            Expr::Column(column) => {
                let place = projection.schema.index_of_column(column)?;
                Ok(Transformed::yes(sources[place].clone()))
            }
            _ => Ok(Transformed::no(part)),
        });
        Ok(inlined?.data)
    };
    let groups = aggregate.group_expr.iter().map(inline).collect::<Result<Vec<_>>>()?;
    let functions = aggregate.aggr_expr.iter().map(inline).collect::<Result<Vec<_>>>()?;
    Ok(Some(Aggregate::try_new(Arc::clone(&projection.input), groups, functions)?))
}

pub(super) fn unaliased(expression: &Expr) -> &Expr {
    match expression {
        Expr::Alias(alias) => unaliased(&alias.expr),
        other => other,
    }
}
