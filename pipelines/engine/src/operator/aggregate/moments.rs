//! Variances, covariances and regressions of integers and decimals, from exact sums of the values, their
//! squares and products. Batch SQL rounds with each row instead, so the last digits may differ.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, Float64Array, Int64Array,
    UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Decimal128Type, Decimal256Type, Int64Type, i256};

use super::group::{GroupState, old_then_new};
use crate::Result;

/// What is computed of the sums. Of two arguments the first is the dependent one, `y`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Statistic {
    Variance { is_sample: bool },
    Deviation { is_sample: bool },
    Covariance { is_sample: bool },
    Correlation,
    Slope,
    Intercept,
    PairCount,
    Determination,
    MeanX,
    MeanY,
    SquaresX,
    SquaresY,
    Products,
}

impl Statistic {
    /// The statistic that a function of SQL gives.
    pub fn named(function: &str) -> Option<Self> {
        Some(match function {
            "var_pop" => Self::Variance { is_sample: false },
            "var" => Self::Variance { is_sample: true },
            "stddev_pop" => Self::Deviation { is_sample: false },
            "stddev" => Self::Deviation { is_sample: true },
            "covar_pop" => Self::Covariance { is_sample: false },
            "covar_samp" => Self::Covariance { is_sample: true },
            "corr" => Self::Correlation,
            "regr_slope" => Self::Slope,
            "regr_intercept" => Self::Intercept,
            "regr_count" => Self::PairCount,
            "regr_r2" => Self::Determination,
            "regr_avgx" => Self::MeanX,
            "regr_avgy" => Self::MeanY,
            "regr_sxx" => Self::SquaresX,
            "regr_syy" => Self::SquaresY,
            "regr_sxy" => Self::Products,
            _ => return None,
        })
    }
}

/// A statistic over one or two decimals of 128 bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    pub statistic: Statistic,
    /// Digits behind the point of the arguments; of one argument, twice.
    pub scales: [i8; 2],
}

/// Sums of one group over the rows in which no argument is null.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Group {
    count: i64,
    y: i128,
    x: i128,
    yy: i256,
    xx: i256,
    xy: i256,
}

#[derive(Debug)]
pub(super) struct Sums {
    call: Moments,
    groups: Vec<Group>,
    remembered: Vec<Group>,
}

impl Sums {
    pub fn new(call: Moments) -> Self {
        Self { call, groups: Vec::new(), remembered: Vec::new() }
    }

    /// `None` is null.
    fn result(&self, group: &Group) -> Option<f64> {
        let unit = self.call.scales.map(|scale| 10_f64.powi(i32::from(scale)));
        let count = group.count as f64;
        let is_sample = matches!(
            self.call.statistic,
            Statistic::Variance { is_sample: true }
                | Statistic::Deviation { is_sample: true }
                | Statistic::Covariance { is_sample: true }
        );
        let rows = if is_sample { count - 1.0 } else { count };
        // Sums of squared deviations from the mean.
        let deviations = |products: i256, one: i128, other: i128, unit: f64| {
            let exact = i256::from_i128(i128::from(group.count))
                .wrapping_mul(products)
                .wrapping_sub(i256::from_i128(one).wrapping_mul(i256::from_i128(other)));
            nearest(exact) / count / unit
        };
        let yy = || deviations(group.yy, group.y, group.y, unit[0] * unit[0]);
        let xx = || deviations(group.xx, group.x, group.x, unit[1] * unit[1]);
        let xy = || deviations(group.xy, group.y, group.x, unit[0] * unit[1]);
        let mean_y = || group.y as f64 / unit[0] / count;
        let mean_x = || group.x as f64 / unit[1] / count;
        let if_some = |condition: bool, value: f64| condition.then_some(value);
        if group.count < 1 {
            return None;
        }
        match self.call.statistic {
            Statistic::Variance { .. } => if_some(rows > 0.0, yy() / rows),
            Statistic::Deviation { .. } => if_some(rows > 0.0, (yy() / rows).sqrt()),
            Statistic::Covariance { .. } => if_some(rows > 0.0, xy() / rows),
            Statistic::Correlation => {
                let (yy, xx) = (yy(), xx());
                if_some(yy > 0.0 && xx > 0.0, xy() / yy.sqrt() / xx.sqrt())
            }
            Statistic::Slope => {
                let xx = xx();
                if_some(xx > 0.0, xy() / xx)
            }
            Statistic::Intercept => {
                let xx = xx();
                if_some(xx > 0.0, mean_y() - xy() / xx * mean_x())
            }
            Statistic::PairCount => Some(count),
            Statistic::Determination => {
                let (yy, xx, xy) = (yy(), xx(), xy());
                if_some(yy > 0.0 && xx > 0.0, xy * xy / (yy * xx))
            }
            Statistic::MeanX => Some(mean_x()),
            Statistic::MeanY => Some(mean_y()),
            Statistic::SquaresX => Some(xx()),
            Statistic::SquaresY => Some(yy()),
            Statistic::Products => Some(xy()),
        }
    }
}

/// The nearest float, by size and sign: the halves of a negative number would cancel out.
fn nearest(exact: i256) -> f64 {
    let (low, high) = exact.wrapping_abs().to_parts();
    let size = high as f64 * 2_f64.powi(128) + low as f64;
    if exact.is_negative() { -size } else { size }
}

impl GroupState for Sums {
    fn grow(&mut self, groups: usize) {
        self.groups.resize(groups, Group::default());
    }

    fn remember(&mut self, ids: &[u32]) {
        self.remembered.extend(ids.iter().map(|id| self.groups[*id as usize]));
    }

    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let nulls = arguments
            .iter()
            .fold(None, |nulls, argument| NullBuffer::union(nulls.as_ref(), argument.nulls()));
        let y = arguments[0].as_primitive::<Decimal128Type>().values();
        let x = arguments.get(1).map(|x| x.as_primitive::<Decimal128Type>().values());
        for (row, id) in ids.iter().enumerate() {
            let weight = i128::from(weights.map_or(1, |weights| weights[row]));
            if weight == 0 || nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let group = &mut self.groups[*id as usize];
            let add = |sum: &mut i256, one: i128, other: i128| {
                let product = i256::from_i128(one).wrapping_mul(i256::from_i128(other));
                *sum = sum.wrapping_add(product.wrapping_mul(i256::from_i128(weight)));
            };
            group.count += weight as i64;
            group.y = group.y.wrapping_add(y[row].wrapping_mul(weight));
            add(&mut group.yy, y[row], y[row]);
            if let Some(x) = x {
                group.x = group.x.wrapping_add(x[row].wrapping_mul(weight));
                add(&mut group.xx, x[row], x[row]);
                add(&mut group.xy, y[row], x[row]);
            }
        }
        Ok(())
    }

    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]) {
        for (at, id) in ids.iter().enumerate() {
            let (old, new) = (&self.remembered[at], &self.groups[*id as usize]);
            let bits = |group: &Group| self.result(group).map(f64::to_bits);
            changed[at] = changed[at] || (old != new && bits(old) != bits(new));
        }
    }

    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>> {
        let groups = old_then_new(&self.remembered, &self.groups, old, new);
        Ok(vec![match self.call.statistic {
            Statistic::PairCount => {
                let counts = groups.iter().map(|group| group.count as u64);
                Arc::new(UInt64Array::from_iter_values(counts))
            }
            _ => Arc::new(groups.iter().map(|group| self.result(group)).collect::<Float64Array>()),
        }])
    }

    fn settle(&mut self, _ids: &[u32]) {
        self.remembered.clear();
    }

    fn reset(&mut self, id: u32) {
        self.groups[id as usize] = Group::default();
    }

    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let groups = || ids.iter().map(|id| &self.groups[*id as usize]);
        let narrow = |part: fn(&Group) -> i128| -> ArrayRef {
            Arc::new(Decimal128Array::from_iter_values(groups().map(part)))
        };
        let wide = |part: fn(&Group) -> i256| -> ArrayRef {
            Arc::new(Decimal256Array::from_iter_values(groups().map(part)))
        };
        Ok(vec![
            Arc::new(Int64Array::from_iter_values(groups().map(|group| group.count))),
            narrow(|group| group.y),
            narrow(|group| group.x),
            wide(|group| group.yy),
            wide(|group| group.xx),
            wide(|group| group.xy),
        ])
    }

    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize> {
        let count = columns[0].as_primitive::<Int64Type>();
        let narrow =
            |at: usize, row: usize| columns[at].as_primitive::<Decimal128Type>().value(row);
        let wide = |at: usize, row: usize| columns[at].as_primitive::<Decimal256Type>().value(row);
        for (row, id) in ids.iter().enumerate() {
            self.groups[*id as usize] = Group {
                count: count.value(row),
                y: narrow(1, row),
                x: narrow(2, row),
                yy: wide(3, row),
                xx: wide(4, row),
                xy: wide(5, row),
            };
        }
        Ok(6)
    }

    fn state_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Group>()
    }
}
