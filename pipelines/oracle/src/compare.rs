//! Two multisets of rows: are they the same, up to the tolerance of floats?

use std::collections::BTreeMap;
use std::fmt;

use arrow::array::RecordBatch;

use crate::Result;
use crate::encode::{DOUBLE, Row, SINGLE, Tally};

/// Floats of 64 bits may differ by this share of the larger one, and near zero by this much.
pub const RELATIVE_TOLERANCE: f64 = 1e-9;
/// The same for floats of 32 bits and fewer.
pub const RELATIVE_TOLERANCE_SINGLE: f64 = 1e-5;

/// Rows shown of each side.
const ROWS_SHOWN: usize = 5;

/// Rows that are only on one side.
#[derive(Debug, Default)]
pub(crate) struct Leftover {
    /// Rows of the second side that the first lacks, with how often.
    pub missing: Vec<(Row, i64)>,
    /// Rows of the first side that the second lacks.
    pub extra: Vec<(Row, i64)>,
}

/// Pairs off equal rows, then rows that differ by rounding only, and gives what is left.
pub(crate) fn compare(first: &Tally, second: &Tally) -> Leftover {
    // By text: the rows over on the first side (positive) and on the second (negative).
    let mut open: BTreeMap<&str, Vec<(&Row, i64)>> = BTreeMap::new();
    for (row, count) in &first.0 {
        let over = count - second.0.get(row).copied().unwrap_or(0);
        if over != 0 {
            open.entry(&row.text).or_default().push((row, over));
        }
    }
    for (row, count) in second.0.iter().filter(|(row, _)| !first.0.contains_key(row)) {
        open.entry(&row.text).or_default().push((row, -count));
    }
    let mut leftover = Leftover::default();
    for (text, mut rows) in open {
        rows.sort_by(|(first, _), (second, _)| by_value(first, second));
        pair_off(text, &mut rows);
        for (row, over) in rows {
            match over {
                0 => {}
                over if over > 0 => leftover.extra.push((row.clone(), over)),
                over => leftover.missing.push((row.clone(), -over)),
            }
        }
    }
    leftover
}

fn by_value(first: &Row, second: &Row) -> std::cmp::Ordering {
    let values =
        |row: &Row| row.floats.iter().map(|bits| f64::from_bits(*bits)).collect::<Vec<_>>();
    let (first, second) = (values(first), values(second));
    let orders = first.iter().zip(&second).map(|(first, second)| first.total_cmp(second));
    orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}

/// Cancels rows of opposite sides that are near each other.
fn pair_off(text: &str, rows: &mut [(&Row, i64)]) {
    let tolerances: Vec<f64> = text
        .chars()
        .filter_map(|character| match character {
            DOUBLE => Some(RELATIVE_TOLERANCE),
            SINGLE => Some(RELATIVE_TOLERANCE_SINGLE),
            _ => None,
        })
        .collect();
    for at in 0..rows.len() {
        for other in at + 1..rows.len() {
            let opposite = rows[at].1.signum() * rows[other].1.signum() < 0;
            if opposite && are_near(rows[at].0, rows[other].0, &tolerances) {
                let common = rows[at].1.abs().min(rows[other].1.abs());
                for place in [at, other] {
                    rows[place].1 -= rows[place].1.signum() * common;
                }
            }
            // In order of the first float: whatever follows is further away.
            let is_past = || {
                let (first, second) = (rows[at].0.floats.first(), rows[other].0.floats.first());
                first.zip(second).is_none_or(|(first, second)| {
                    !is_near(f64::from_bits(*first), f64::from_bits(*second), tolerances[0])
                })
            };
            if rows[at].1 == 0 || is_past() {
                break;
            }
        }
    }
}

fn are_near(first: &Row, second: &Row, tolerances: &[f64]) -> bool {
    let pairs = first.floats.iter().zip(&second.floats).zip(tolerances);
    first.floats.len() == second.floats.len()
        && pairs.into_iter().all(|((first, second), tolerance)| {
            is_near(f64::from_bits(*first), f64::from_bits(*second), *tolerance)
        })
}

fn is_near(first: f64, second: f64, tolerance: f64) -> bool {
    if first.is_nan() || second.is_nan() {
        return first.is_nan() && second.is_nan();
    }
    if first.is_infinite() || second.is_infinite() {
        return first == second;
    }
    (first - second).abs() <= tolerance * first.abs().max(second.abs()).max(1.0)
}

/// How a view differs from what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Epoch after which it differs.
    pub epoch: u64,
    /// Seed of the script.
    pub seed: u64,
    /// What was compared.
    pub what: String,
    /// Rows it lacks, a handful; how often each is lacking.
    pub missing: Vec<(String, i64)>,
    /// How many it lacks in all.
    pub missing_count: i64,
    /// Rows it has too many, a handful.
    pub extra: Vec<(String, i64)>,
    /// How many it has too many in all.
    pub extra_count: i64,
}

impl Difference {
    pub(crate) fn new(epoch: u64, seed: u64, what: &str, leftover: &Leftover) -> Self {
        let shown = |rows: &[(Row, i64)]| {
            let mut rows: Vec<(String, i64)> =
                rows.iter().map(|(row, count)| (row.display(), *count)).collect();
            rows.sort();
            rows.truncate(ROWS_SHOWN);
            rows
        };
        let count = |rows: &[(Row, i64)]| rows.iter().map(|(_, count)| *count).sum();
        Self {
            epoch,
            seed,
            what: what.to_owned(),
            missing: shown(&leftover.missing),
            missing_count: count(&leftover.missing),
            extra: shown(&leftover.extra),
            extra_count: count(&leftover.extra),
        }
    }

    /// How `rows` differ from what they should be, by more than floats may; none when they do not. `what` says
    /// which rows they are.
    ///
    /// # Errors
    /// Arrow's, for types that have no text.
    pub fn between(
        epoch: u64,
        seed: u64,
        what: &str,
        rows: &[RecordBatch],
        expected: &[RecordBatch],
    ) -> Result<Option<Self>> {
        let leftover = compare(&Tally::of(rows)?, &Tally::of(expected)?);
        let is_same = leftover.missing.is_empty() && leftover.extra.is_empty();
        Ok((!is_same).then(|| Self::new(epoch, seed, what, &leftover)))
    }

    /// A difference that is not one of rows.
    pub(crate) fn plain(epoch: u64, seed: u64, what: String) -> Self {
        let (missing, extra) = (Vec::new(), Vec::new());
        Self { epoch, seed, what, missing, missing_count: 0, extra, extra_count: 0 }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "epoch {}, seed {}: {}", self.epoch, self.seed, self.what)?;
        let sides = [
            ("lacks", &self.missing, self.missing_count),
            ("has too", &self.extra, self.extra_count),
        ];
        for (verb, rows, count) in sides {
            for (row, times) in rows {
                write!(formatter, "\n  {verb} {row}")?;
                if *times != 1 {
                    write!(formatter, " × {times}")?;
                }
            }
            let shown: i64 = rows.iter().map(|(_, times)| *times).sum();
            if count > shown {
                write!(formatter, "\n  {verb} {} more", count - shown)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: &[(&str, f64, i64)]) -> Tally {
        let row = |(text, float, count): &(&str, f64, i64)| {
            let text = format!("{text}{DOUBLE}");
            (Row { text, floats: vec![float.to_bits()] }, *count)
        };
        Tally(rows.iter().map(row).collect())
    }

    fn left(first: &[(&str, f64, i64)], second: &[(&str, f64, i64)]) -> (usize, usize) {
        let leftover = compare(&tally(first), &tally(second));
        (leftover.missing.len(), leftover.extra.len())
    }

    #[test]
    fn floats_are_the_same_within_the_tolerance() {
        assert_eq!(left(&[("a", 1.0, 2)], &[("a", 1.0 + 1e-12, 2)]), (0, 0));
        assert_eq!(left(&[("a", 1e12, 1)], &[("a", 1e12 + 1.0, 1)]), (0, 0));
        assert_eq!(left(&[("a", 1.0, 1)], &[("a", 1.0 + 1e-6, 1)]), (1, 1));
        assert_eq!(left(&[("a", f64::NAN, 1)], &[("a", f64::NAN, 1)]), (0, 0));
        assert_eq!(left(&[("a", f64::INFINITY, 1)], &[("a", f64::MAX, 1)]), (1, 1));
    }

    #[test]
    fn rows_are_counted() {
        assert_eq!(left(&[("a", 1.0, 2)], &[("a", 1.0, 1)]), (0, 1));
        assert_eq!(left(&[("a", 1.0, 1), ("b", 2.0, 1)], &[("b", 2.0, 1)]), (0, 1));
        assert_eq!(left(&[], &[("a", 1.0 - 1e-13, 1), ("a", 1.0, 1)]), (2, 0));
        let near = [("a", 1.0, 1), ("a", 1.0 + 1e-13, 1)];
        assert_eq!(left(&near, &[("a", 1.0 + 2e-13, 2)]), (0, 0));
    }
}
