//! What a call of a window function takes to be kept true.

use arrow::datatypes::{DataType, Field};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction, WindowFunctionDefinition};
use datafusion::logical_expr::{
    Expr, LogicalPlan, WindowFrame, WindowFrameBound, WindowFrameUnits,
};

use super::integer;
use crate::Result;
use crate::operator::{ShiftCall, Total, TotalCall};
use crate::plan::lower::Lowering;

/// The farthest row `lag` and `lead` look at to be kept by neighbours: finding it takes a step per row.
const SHIFT_MAX: u64 = 1024;

/// Calls that are kept in one way.
pub(super) enum Kind {
    /// By the neighbours of a row.
    Shifts(Vec<ShiftCall>),
    /// By the total of the row before.
    Totals(Vec<TotalCall>),
    /// By evaluating a partition again.
    Others,
}

impl Kind {
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Takes in a call. Calls that differ are kept in the way that suits all.
    pub fn extend(&mut self, other: Self) {
        match (self, other) {
            (Self::Shifts(calls), Self::Shifts(others)) => calls.extend(others),
            (Self::Totals(calls), Self::Totals(others)) => calls.extend(others),
            (kind, _) => *kind = Self::Others,
        }
    }
}

impl Lowering<'_> {
    /// How a call that gives `field` is kept true.
    pub(super) fn kind(
        &self,
        call: &WindowFunction,
        input: &LogicalPlan,
        field: &Field,
    ) -> Result<Kind> {
        if let Some(shift) = self.shift(call, input.schema())? {
            return Ok(Kind::Shifts(vec![shift]));
        }
        let total = self.total(call, input.schema(), field)?;
        Ok(total.map_or(Kind::Others, |total| Kind::Totals(vec![total])))
    }

    /// A call of `lag` or `lead` by a fixed number of rows, if it is one.
    fn shift(&self, call: &WindowFunction, columns: &DFSchema) -> Result<Option<ShiftCall>> {
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
    /// A total from the first row of the partition to the current one, if it is one.
    fn total(
        &self,
        call: &WindowFunction,
        columns: &DFSchema,
        field: &Field,
    ) -> Result<Option<TotalCall>> {
        let params = &call.params;
        let is_row_number = matches!(
            &call.fun,
            WindowFunctionDefinition::WindowUDF(function) if function.name() == "row_number"
        );
        let total = match &call.fun {
            WindowFunctionDefinition::AggregateUDF(function) => match function.name() {
                "sum" => Total::Sum,
                "count" => Total::Count,
                "min" => Total::Min,
                "max" => Total::Max,
                _ => return Ok(None),
            },
            _ if is_row_number => Total::Count,
            _ => return Ok(None),
        };
        let is_plain = !params.distinct
            && !params.order_by.is_empty()
            && params.null_treatment != Some(NullTreatment::IgnoreNulls)
            && (is_row_number || is_so_far(&params.window_frame))
            && params.args.len() <= 1
            && (is_row_number || Total::takes(field.data_type()));
        if !is_plain {
            return Ok(None);
        }
        let value = params.args.first().map(|value| self.expression(value, columns)).transpose()?;
        let filter = params.filter.as_ref();
        let filter = filter.map(|filter| self.expression(filter, columns)).transpose()?;
        if let Some(value) = &value {
            let data_type = value.data_type(columns.as_arrow())?;
            if total != Total::Count && !Total::takes(&data_type) {
                return Ok(None);
            }
        }
        let is_of_peers = !is_row_number && params.window_frame.units != WindowFrameUnits::Rows;
        Ok(Some(TotalCall { total, value, filter, is_of_peers }))
    }
}

/// Whether a frame is all rows up to the current one.
fn is_so_far(frame: &WindowFrame) -> bool {
    matches!(&frame.start_bound, WindowFrameBound::Preceding(rows) if rows.is_null())
        && frame.end_bound == WindowFrameBound::CurrentRow
}
