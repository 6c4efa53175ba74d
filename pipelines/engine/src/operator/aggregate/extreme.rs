//! `min` and `max` of plain numbers and times whose rows never go: one value per group.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};

use super::{GroupState, old_then_new};
use crate::Result;

/// The greatest or smallest value so far, and whether there is one.
struct Extreme<T: ArrowPrimitiveType> {
    best: Vec<(T::Native, bool)>,
    remembered: Vec<(T::Native, bool)>,
    is_max: bool,
    data_type: DataType,
}

/// State for `min` or `max` of `data_type`; `None` for types that are not compared as plain numbers.
pub(super) fn extreme(data_type: &DataType, is_max: bool) -> Option<Box<dyn GroupState>> {
    fn make<T: ArrowPrimitiveType>(
        data_type: &DataType,
        is_max: bool,
    ) -> Option<Box<dyn GroupState>> {
        let data_type = data_type.clone();
        Some(Box::new(Extreme::<T> { best: Vec::new(), remembered: Vec::new(), is_max, data_type }))
    }
    match data_type {
        DataType::Int32 => make::<Int32Type>(data_type, is_max),
        DataType::Int64 => make::<Int64Type>(data_type, is_max),
        DataType::Float64 => make::<Float64Type>(data_type, is_max),
        DataType::Decimal128(_, _) => make::<Decimal128Type>(data_type, is_max),
        DataType::Date32 => make::<Date32Type>(data_type, is_max),
        DataType::Timestamp(TimeUnit::Second, _) => make::<TimestampSecondType>(data_type, is_max),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            make::<TimestampMillisecondType>(data_type, is_max)
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            make::<TimestampMicrosecondType>(data_type, is_max)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            make::<TimestampNanosecondType>(data_type, is_max)
        }
        _ => None,
    }
}

impl<T: ArrowPrimitiveType> GroupState for Extreme<T> {
    fn grow(&mut self, groups: usize) {
        self.best.resize(groups, Default::default());
    }

    fn remember(&mut self, ids: &[u32]) {
        self.remembered.extend(ids.iter().map(|id| self.best[*id as usize]));
    }

    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let column = arguments[0].as_primitive::<T>();
        for (row, (id, value)) in ids.iter().zip(column.values()).enumerate() {
            if column.is_null(row) || weights.is_some_and(|weights| weights[row] == 0) {
                continue;
            }
            let best = &mut self.best[*id as usize];
            if !best.1 || if self.is_max { value.is_gt(best.0) } else { value.is_lt(best.0) } {
                *best = (*value, true);
            }
        }
        Ok(())
    }

    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]) {
        for (at, id) in ids.iter().enumerate() {
            let (old, new) = (self.remembered[at], self.best[*id as usize]);
            changed[at] |= old.1 != new.1 || old.0.is_ne(new.0);
        }
    }

    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>> {
        let best = old_then_new(&self.remembered, &self.best, old, new);
        let nulls: NullBuffer = best.iter().map(|(_, is_there)| *is_there).collect();
        let nulls = Some(nulls).filter(|nulls| nulls.null_count() > 0);
        let values: Vec<T::Native> = best.into_iter().map(|(value, _)| value).collect();
        let column =
            PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(self.data_type.clone());
        Ok(vec![Arc::new(column)])
    }

    fn settle(&mut self, _ids: &[u32]) {
        self.remembered.clear();
    }

    fn reset(&mut self, id: u32) {
        self.best[id as usize] = Default::default();
    }

    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let values =
            PrimitiveArray::<T>::from_iter_values(ids.iter().map(|id| self.best[*id as usize].0));
        let is_there: BooleanArray = ids.iter().map(|id| Some(self.best[*id as usize].1)).collect();
        Ok(vec![Arc::new(values.with_data_type(self.data_type.clone())), Arc::new(is_there)])
    }

    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize> {
        let (values, is_there) = (columns[0].as_primitive::<T>(), columns[1].as_boolean());
        for (row, id) in ids.iter().enumerate() {
            self.best[*id as usize] = (values.value(row), is_there.value(row));
        }
        Ok(2)
    }

    fn state_bytes(&self) -> usize {
        self.best.capacity() * size_of::<(T::Native, bool)>()
    }
}
