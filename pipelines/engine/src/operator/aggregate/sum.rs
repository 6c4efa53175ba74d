//! `sum` and `avg` of integers, floats, decimals and durations.
//!
//! Integers and decimals are exact under any order of additions and subtractions. Float sums round with each
//! step, so a view that takes rows back may differ from a fresh sum in the last digits; a group whose last
//! value goes is set back to nothing. Infinities and NaN are counted apart, so that they leave as they came.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, Int64Array, PrimitiveArray,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Decimal32Type, Decimal64Type,
    Decimal128Type, Decimal256Type, DecimalType, DurationMicrosecondType, DurationMillisecondType,
    DurationNanosecondType, DurationSecondType, Float64Type, Int64Type, TimeUnit, UInt64Type, i256,
};
use datafusion::error::DataFusionError;

use super::group::GroupState;
use crate::Result;

/// Numbers that can be summed with weights.
trait Summand: ArrowNativeTypeOp + Copy + Default + Debug + Send + 'static {
    fn add(self, other: Self, weight: i64) -> Self;
    /// The mean, where `scale_up` brings the sum to the scale of the result.
    fn divide(self, count: i64, scale_up: i128, output: &DataType) -> Result<Self>;
    /// Values that would swallow all others: which of them this is.
    const SWALLOWING: &[Self] = &[];
    fn swallowing(self) -> Option<usize> {
        None
    }
}

/// Decimals of 32 bits are summed up, never divided: their mean is taken in 128 bits.
impl Summand for i32 {
    fn add(self, other: Self, weight: i64) -> Self {
        self.wrapping_add(other.wrapping_mul(weight as i32))
    }

    fn divide(self, count: i64, _scale_up: i128, _output: &DataType) -> Result<Self> {
        Ok((i64::from(self) / count) as i32)
    }
}

/// Whole numbers wrap on overflow, as they do in batch SQL.
impl Summand for i64 {
    fn add(self, other: Self, weight: i64) -> Self {
        self.wrapping_add(other.wrapping_mul(weight))
    }

    fn divide(self, count: i64, _scale_up: i128, _output: &DataType) -> Result<Self> {
        Ok(self / count)
    }
}

impl Summand for u64 {
    fn add(self, other: Self, weight: i64) -> Self {
        self.wrapping_add(other.wrapping_mul(weight as u64))
    }

    fn divide(self, count: i64, _scale_up: i128, _output: &DataType) -> Result<Self> {
        Ok(self / count as u64)
    }
}

impl Summand for f64 {
    const SWALLOWING: &[Self] = &[Self::NAN, Self::INFINITY, Self::NEG_INFINITY];

    fn swallowing(self) -> Option<usize> {
        match self {
            _ if self.is_finite() => None,
            _ if self.is_nan() => Some(0),
            _ => Some(if self > 0.0 { 1 } else { 2 }),
        }
    }

    fn add(self, other: Self, weight: i64) -> Self {
        self + other * weight as f64
    }

    fn divide(self, count: i64, _scale_up: i128, _output: &DataType) -> Result<Self> {
        Ok(self / count as f64)
    }
}

impl Summand for i128 {
    fn add(self, other: Self, weight: i64) -> Self {
        match weight {
            1 => self.wrapping_add(other),
            -1 => self.wrapping_sub(other),
            _ => self.wrapping_add(other.wrapping_mul(i128::from(weight))),
        }
    }

    fn divide(self, count: i64, scale_up: i128, output: &DataType) -> Result<Self> {
        let scaled = self.checked_mul(scale_up).ok_or_else(|| mean_overflow(output))?;
        let mean = scaled / i128::from(count);
        if let DataType::Decimal128(precision, scale) = output {
            Decimal128Type::validate_decimal_precision(mean, *precision, *scale)?;
        }
        Ok(mean)
    }
}

impl Summand for i256 {
    fn add(self, other: Self, weight: i64) -> Self {
        self.wrapping_add(other.wrapping_mul(Self::from(weight)))
    }

    fn divide(self, count: i64, scale_up: i128, output: &DataType) -> Result<Self> {
        let scaled = self.checked_mul(Self::from_i128(scale_up));
        let mean = scaled.and_then(|scaled| scaled.checked_div(Self::from(count)));
        let mean = mean.ok_or_else(|| mean_overflow(output))?;
        if let DataType::Decimal256(precision, scale) = output {
            Decimal256Type::validate_decimal_precision(mean, *precision, *scale)?;
        }
        Ok(mean)
    }
}

fn mean_overflow(output: &DataType) -> DataFusionError {
    DataFusionError::Execution(format!("the mean of a group does not fit {output}"))
}

#[derive(Debug, Clone, Copy)]
enum Finish {
    Sum,
    Average { scale_up: i128 },
}

/// Sum and number of the values that are not null.
struct Sum<T: ArrowPrimitiveType> {
    totals: Vec<(T::Native, i64)>,
    /// How often a group has each of [`Summand::SWALLOWING`], where it has any.
    swallowing: HashMap<u32, [i64; 3]>,
    remembered: Vec<(T::Native, i64)>,
    finish: Finish,
    input: DataType,
    /// The type of the numbers given out, before they are cast to `output`.
    computed: DataType,
    output: DataType,
}

/// State for `sum` over `input`, one of the types [`can_sum`] admits.
pub(super) fn sum(input: &DataType, output: DataType) -> Box<dyn GroupState> {
    make(input, output, Finish::Sum)
}

/// State for `avg` over `input`, one of the types [`average_input`] gives.
pub(super) fn average(input: &DataType, output: DataType) -> Box<dyn GroupState> {
    let scale_up = match (decimal_scale(input), decimal_scale(&output)) {
        (Some(from), Some(to)) => {
            10_i128.pow(u32::try_from(i32::from(to) - i32::from(from)).unwrap_or_default())
        }
        _ => 1,
    };
    make(input, output, Finish::Average { scale_up })
}

/// Whether `sum` keeps state for this argument type.
pub(crate) fn can_sum(input: &DataType) -> bool {
    matches!(input, DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Duration(_))
        || input.is_decimal()
}

/// The type in which the mean of values of type `input` is taken, where `avg` keeps state for it. Batch SQL
/// takes as much room for the sum of decimals, and more for the narrow ones.
pub(crate) fn average_input(input: &DataType) -> Option<DataType> {
    match input {
        DataType::Float64 | DataType::Duration(_) => Some(input.clone()),
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) => {
            Some(DataType::Decimal128(DECIMAL128_MAX_PRECISION, *scale))
        }
        DataType::Decimal128(precision, _)
            if precision + MEAN_HEADROOM_DIGITS <= DECIMAL128_MAX_PRECISION =>
        {
            Some(input.clone())
        }
        DataType::Decimal128(_, scale) => {
            Some(DataType::Decimal256(DECIMAL256_MAX_PRECISION, *scale))
        }
        DataType::Decimal256(_, _) => Some(input.clone()),
        _ => None,
    }
}

/// Digits of a sum above those of its values: as many rows, and the scale of the mean.
const MEAN_HEADROOM_DIGITS: u8 = 13;

fn decimal_scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}

fn make(input: &DataType, output: DataType, finish: Finish) -> Box<dyn GroupState> {
    macro_rules! make {
        ($($kind:pat => $type:ty),+ $(,)?) => {
            match input {
                $($kind => Box::new(Sum::<$type>::new(input.clone(), output, finish)) as _,)+
                _ => unreachable!("only types that can be summed are lowered to a sum"),
            }
        };
    }
    make! {
        DataType::Int64 => Int64Type,
        DataType::UInt64 => UInt64Type,
        DataType::Float64 => Float64Type,
        DataType::Decimal32(_, _) => Decimal32Type,
        DataType::Decimal64(_, _) => Decimal64Type,
        DataType::Decimal128(_, _) => Decimal128Type,
        DataType::Decimal256(_, _) => Decimal256Type,
        DataType::Duration(TimeUnit::Second) => DurationSecondType,
        DataType::Duration(TimeUnit::Millisecond) => DurationMillisecondType,
        DataType::Duration(TimeUnit::Microsecond) => DurationMicrosecondType,
        DataType::Duration(TimeUnit::Nanosecond) => DurationNanosecondType,
    }
}

impl<T: ArrowPrimitiveType> Sum<T>
where
    T::Native: Summand,
{
    fn new(input: DataType, output: DataType, finish: Finish) -> Self {
        let computed = match (&input, &output) {
            (DataType::Decimal128(_, _), DataType::Decimal32(precision, scale))
            | (DataType::Decimal128(_, _), DataType::Decimal64(precision, scale)) => {
                DataType::Decimal128(*precision, *scale)
            }
            (DataType::Decimal256(_, _), DataType::Decimal128(precision, scale)) => {
                DataType::Decimal256(*precision, *scale)
            }
            _ => output.clone(),
        };
        Self {
            totals: Vec::new(),
            swallowing: HashMap::new(),
            remembered: Vec::new(),
            finish,
            input,
            computed,
            output,
        }
    }

    /// Sum and number of values of a group.
    fn total(&self, id: u32) -> (T::Native, i64) {
        let (sum, count) = self.totals[id as usize];
        if T::Native::SWALLOWING.is_empty() || self.swallowing.is_empty() {
            return (sum, count);
        }
        let Some(counts) = self.swallowing.get(&id) else { return (sum, count) };
        let present = T::Native::SWALLOWING.iter().zip(counts).filter(|(_, count)| **count > 0);
        let sum = present.fold(sum, |sum, (value, _)| sum.add_wrapping(*value));
        // There are many NaNs; all are given out as one.
        (sum.swallowing().map_or(sum, |kind| T::Native::SWALLOWING[kind]), count)
    }

    /// What is given out of a total; `None` is null.
    fn result(&self, (sum, count): (T::Native, i64)) -> Result<Option<T::Native>> {
        match self.finish {
            _ if count == 0 => Ok(None),
            Finish::Sum => Ok(Some(sum)),
            Finish::Average { scale_up } => sum.divide(count, scale_up, &self.computed).map(Some),
        }
    }

    /// Whether both totals give the same. The mean may stay while sum and count change, and a sum that is
    /// not a number is the same as before. A mean that does not fit is told when it is given out.
    fn is_same(&self, old: (T::Native, i64), new: (T::Native, i64)) -> bool {
        let is_same_total = old.0.is_eq(new.0) && old.1 == new.1;
        is_same_total
            || match (self.result(old), self.result(new)) {
                (Ok(Some(old)), Ok(Some(new))) => old.is_eq(new),
                (Ok(None), Ok(None)) => true,
                _ => false,
            }
    }
}

impl<T: ArrowPrimitiveType> GroupState for Sum<T>
where
    T::Native: Summand,
{
    fn grow(&mut self, groups: usize) {
        self.totals.resize(groups, Default::default());
    }

    fn remember(&mut self, ids: &[u32]) {
        let totals: Vec<_> = ids.iter().map(|id| self.total(*id)).collect();
        self.remembered.extend(totals);
    }

    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let column = arguments[0].as_primitive::<T>();
        let (totals, swallowing) = (&mut self.totals, &mut self.swallowing);
        let mut add = |id: u32, value: T::Native, weight: i64| {
            let (sum, count) = &mut totals[id as usize];
            *count += weight;
            match value.swallowing() {
                None => *sum = sum.add(value, weight),
                Some(kind) => swallowing.entry(id).or_default()[kind] += weight,
            }
        };
        let rows = ids.iter().zip(column.values());
        match (column.nulls(), weights) {
            (None, None) => rows.for_each(|(id, value)| add(*id, *value, 1)),
            (None, Some(weights)) => {
                let weighted = rows.zip(weights).filter(|(_, weight)| **weight != 0);
                weighted.for_each(|((id, value), weight)| add(*id, *value, *weight));
            }
            (Some(nulls), _) => {
                for (row, (id, value)) in rows.enumerate() {
                    let weight = weights.map_or(1, |weights| weights[row]);
                    if nulls.is_valid(row) && weight != 0 {
                        add(*id, *value, weight);
                    }
                }
            }
        }
        Ok(())
    }

    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]) {
        for (at, id) in ids.iter().enumerate() {
            changed[at] = changed[at] || !self.is_same(self.remembered[at], self.total(*id));
        }
    }

    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>> {
        let old = old.iter().map(|at| self.remembered[*at as usize]);
        let totals: Vec<_> = old.chain(new.iter().map(|id| self.total(*id))).collect();
        let value = |total: &(T::Native, i64)| Ok(self.result(*total)?.unwrap_or_default());
        let values = totals.iter().map(value).collect::<Result<Vec<_>>>()?;
        let nulls: NullBuffer = totals.iter().map(|(_, count)| *count != 0).collect();
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        let column =
            PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(self.computed.clone());
        if self.computed != self.output {
            return Ok(vec![cast(&column, &self.output)?]);
        }
        Ok(vec![Arc::new(column)])
    }

    fn settle(&mut self, ids: &[u32]) {
        self.remembered.clear();
        for id in ids {
            if self.totals[*id as usize].1 == 0 {
                // What rounding has left of a float goes with the last value.
                self.reset(*id);
            }
        }
    }

    fn reset(&mut self, id: u32) {
        self.totals[id as usize] = Default::default();
        self.swallowing.remove(&id);
    }

    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let sums =
            PrimitiveArray::<T>::from_iter_values(ids.iter().map(|id| self.totals[*id as usize].0));
        let counts = Int64Array::from_iter_values(ids.iter().map(|id| self.totals[*id as usize].1));
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(sums.with_data_type(self.input.clone())), Arc::new(counts)];
        for kind in 0..T::Native::SWALLOWING.len() {
            let count = |id: &u32| self.swallowing.get(id).map_or(0, |counts| counts[kind]);
            columns.push(Arc::new(Int64Array::from_iter_values(ids.iter().map(count))));
        }
        Ok(columns)
    }

    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize> {
        let sums = columns[0].as_primitive::<T>();
        let counts = columns[1].as_primitive::<Int64Type>();
        for (row, id) in ids.iter().enumerate() {
            self.reset(*id);
            self.totals[*id as usize] = (sums.value(row), counts.value(row));
            for kind in 0..T::Native::SWALLOWING.len() {
                let count = columns[2 + kind].as_primitive::<Int64Type>().value(row);
                if count != 0 {
                    self.swallowing.entry(*id).or_default()[kind] = count;
                }
            }
        }
        Ok(2 + T::Native::SWALLOWING.len())
    }

    fn state_bytes(&self) -> usize {
        self.totals.capacity() * size_of::<(T::Native, i64)>()
            + self.swallowing.capacity() * size_of::<(u32, [i64; 3])>()
    }
}
