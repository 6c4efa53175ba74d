//! `min` and `max` of plain numbers and times: one value per group where rows never go, all of them in order
//! where they do.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, Int64Array, ListArray,
    PrimitiveArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    Field, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type, i256,
};

use super::group::GroupState;
use crate::Result;
use crate::state::{Multiset, SetChange};

/// Numbers as keys that compare as the numbers do.
trait Ranked: ArrowNativeTypeOp {
    type Rank: Ord + Copy + Debug + Send;
    fn rank(self) -> Self::Rank;
    fn ranked(rank: Self::Rank) -> Self;
}

macro_rules! ranked_as_is {
    ($($native:ty),+) => {
        $(impl Ranked for $native {
            type Rank = Self;
            fn rank(self) -> Self {
                self
            }
            fn ranked(rank: Self) -> Self {
                rank
            }
        })+
    };
}

ranked_as_is!(i8, i16, i32, i64, u8, u16, u32, u64, i128, i256);

/// Floats in the total order of IEEE 754, as batch SQL compares them: flipping the bits of negative ones but
/// for the sign orders them as integers, and gives them back.
macro_rules! ranked_by_bits {
    ($native:ty, $bits:ty, $signed:ty) => {
        impl Ranked for $native {
            type Rank = $signed;
            fn rank(self) -> $signed {
                let bits = self.to_bits() as $signed;
                bits ^ ((bits >> (<$bits>::BITS - 1)) as $bits >> 1) as $signed
            }
            fn ranked(rank: $signed) -> Self {
                let bits = rank ^ ((rank >> (<$bits>::BITS - 1)) as $bits >> 1) as $signed;
                Self::from_bits(bits as $bits)
            }
        }
    };
}

ranked_by_bits!(f32, u32, i32);
ranked_by_bits!(f64, u64, i64);

type Rank<T> = <<T as ArrowPrimitiveType>::Native as Ranked>::Rank;

enum Kept<T: ArrowPrimitiveType<Native: Ranked>> {
    /// The greatest or smallest value so far.
    Best(Vec<Option<T::Native>>),
    /// All values, and how many different ones there are in all groups.
    All { groups: Vec<Multiset<Rank<T>>>, values: usize },
}

/// Values of each group.
struct Extreme<T: ArrowPrimitiveType<Native: Ranked>> {
    kept: Kept<T>,
    remembered: Vec<Option<T::Native>>,
    is_max: bool,
    data_type: DataType,
}

/// State for `min` or `max` of `data_type`; `None` for types that are not compared as plain numbers.
pub(super) fn extreme(
    data_type: &DataType,
    is_max: bool,
    is_append_only: bool,
) -> Option<Box<dyn GroupState>> {
    macro_rules! make {
        ($($kind:pat => $type:ty),+ $(,)?) => {
            match data_type {
                $($kind => Some(Box::new(Extreme::<$type>::new(data_type, is_max, is_append_only))),)+
                _ => None,
            }
        };
    }
    make! {
        DataType::Int8 => Int8Type,
        DataType::Int16 => Int16Type,
        DataType::Int32 => Int32Type,
        DataType::Int64 => Int64Type,
        DataType::UInt8 => UInt8Type,
        DataType::UInt16 => UInt16Type,
        DataType::UInt32 => UInt32Type,
        DataType::UInt64 => UInt64Type,
        DataType::Float32 => Float32Type,
        DataType::Float64 => Float64Type,
        DataType::Decimal32(_, _) => Decimal32Type,
        DataType::Decimal64(_, _) => Decimal64Type,
        DataType::Decimal128(_, _) => Decimal128Type,
        DataType::Decimal256(_, _) => Decimal256Type,
        DataType::Date32 => Date32Type,
        DataType::Date64 => Date64Type,
        DataType::Time32(TimeUnit::Second) => Time32SecondType,
        DataType::Time32(_) => Time32MillisecondType,
        DataType::Time64(TimeUnit::Microsecond) => Time64MicrosecondType,
        DataType::Time64(_) => Time64NanosecondType,
        DataType::Timestamp(TimeUnit::Second, _) => TimestampSecondType,
        DataType::Timestamp(TimeUnit::Millisecond, _) => TimestampMillisecondType,
        DataType::Timestamp(TimeUnit::Microsecond, _) => TimestampMicrosecondType,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => TimestampNanosecondType,
        DataType::Duration(TimeUnit::Second) => DurationSecondType,
        DataType::Duration(TimeUnit::Millisecond) => DurationMillisecondType,
        DataType::Duration(TimeUnit::Microsecond) => DurationMicrosecondType,
        DataType::Duration(TimeUnit::Nanosecond) => DurationNanosecondType,
    }
}

impl<T: ArrowPrimitiveType<Native: Ranked>> Extreme<T> {
    fn new(data_type: &DataType, is_max: bool, is_append_only: bool) -> Self {
        let kept = match is_append_only {
            true => Kept::Best(Vec::new()),
            false => Kept::All { groups: Vec::new(), values: 0 },
        };
        Self { kept, remembered: Vec::new(), is_max, data_type: data_type.clone() }
    }

    fn current(&self, id: u32) -> Option<T::Native> {
        match &self.kept {
            Kept::Best(best) => best[id as usize],
            Kept::All { groups, .. } => {
                let group = &groups[id as usize];
                let rank = if self.is_max { group.last() } else { group.first() };
                rank.copied().map(T::Native::ranked)
            }
        }
    }

    fn take_in(&mut self, id: u32, value: T::Native, weight: i64) {
        match &mut self.kept {
            Kept::Best(best) => {
                let best = &mut best[id as usize];
                let is_better = |best: T::Native| {
                    if self.is_max { value.is_gt(best) } else { value.is_lt(best) }
                };
                if best.is_none_or(is_better) {
                    *best = Some(value);
                }
            }
            Kept::All { groups, values } => {
                match groups[id as usize].add(&value.rank(), weight, |rank| *rank) {
                    SetChange::New => *values += 1,
                    SetChange::Same => {}
                    SetChange::Gone(_) => *values -= 1,
                }
            }
        }
    }
}

impl<T: ArrowPrimitiveType<Native: Ranked>> GroupState for Extreme<T> {
    fn grow(&mut self, groups: usize) {
        match &mut self.kept {
            Kept::Best(best) => best.resize(groups, None),
            Kept::All { groups: sets, .. } => sets.resize_with(groups, Multiset::default),
        }
    }

    fn remember(&mut self, ids: &[u32]) {
        let current = ids.iter().map(|id| self.current(*id)).collect::<Vec<_>>();
        self.remembered.extend(current);
    }

    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let column = arguments[0].as_primitive::<T>();
        for (row, (id, value)) in ids.iter().zip(column.values()).enumerate() {
            let weight = weights.map_or(1, |weights| weights[row]);
            if weight != 0 && column.is_valid(row) {
                self.take_in(*id, *value, weight);
            }
        }
        Ok(())
    }

    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]) {
        for (at, id) in ids.iter().enumerate() {
            changed[at] |= match (self.remembered[at], self.current(*id)) {
                (Some(old), Some(new)) => old.is_ne(new),
                (None, None) => false,
                _ => true,
            };
        }
    }

    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>> {
        let old = old.iter().map(|at| self.remembered[*at as usize]);
        let values: PrimitiveArray<T> = old.chain(new.iter().map(|id| self.current(*id))).collect();
        Ok(vec![Arc::new(values.with_data_type(self.data_type.clone()))])
    }

    fn settle(&mut self, _ids: &[u32]) {
        self.remembered.clear();
    }

    fn reset(&mut self, id: u32) {
        match &mut self.kept {
            Kept::Best(best) => best[id as usize] = None,
            Kept::All { groups, values } => {
                *values -= std::mem::take(&mut groups[id as usize]).len();
            }
        }
    }

    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let column = |values: Vec<T::Native>| -> ArrayRef {
            let values = PrimitiveArray::<T>::from_iter_values(values);
            Arc::new(values.with_data_type(self.data_type.clone()))
        };
        let mut lengths = Vec::with_capacity(ids.len());
        let (mut values, mut counts) = (Vec::new(), Vec::new());
        for id in ids {
            let before = values.len();
            match &self.kept {
                Kept::Best(best) => {
                    values.extend(best[*id as usize]);
                    counts.extend(best[*id as usize].map(|_| 1));
                }
                Kept::All { groups, .. } => {
                    for (rank, count) in groups[*id as usize].iter() {
                        values.push(T::Native::ranked(*rank));
                        counts.push(count);
                    }
                }
            }
            lengths.push(values.len() - before);
        }
        let list = |values: ArrayRef| -> Result<ArrayRef> {
            let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
            let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
            Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
        };
        Ok(vec![list(column(values))?, list(Arc::new(Int64Array::from(counts)))?])
    }

    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize> {
        let (values, counts) = (columns[0].as_list::<i32>(), columns[1].as_list::<i32>());
        for (at, id) in ids.iter().enumerate() {
            self.reset(*id);
            let (values, counts) = (values.value(at), counts.value(at));
            let counts = counts.as_primitive::<Int64Type>().values();
            for (value, count) in values.as_primitive::<T>().values().iter().zip(counts) {
                self.take_in(*id, *value, *count);
            }
        }
        Ok(2)
    }

    fn state_bytes(&self) -> usize {
        match &self.kept {
            Kept::Best(best) => best.capacity() * size_of::<Option<T::Native>>(),
            // A vector or a node of a tree stands about two thirds full.
            Kept::All { groups, values } => {
                groups.capacity() * size_of::<Multiset<Rank<T>>>()
                    + values * size_of::<(Rank<T>, i64)>() * 3 / 2
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_rank_as_they_compare() {
        let ordered = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e-300, 2.5, f64::INFINITY, f64::NAN];
        assert!(ordered.iter().map(|value| value.rank()).is_sorted());
        for value in ordered {
            assert!(f64::ranked(value.rank()).is_eq(value), "{value}");
        }
    }
}
