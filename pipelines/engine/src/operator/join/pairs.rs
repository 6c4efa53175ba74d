//! A change of one side beside the rows of the other.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt32Array};
use arrow::compute::take_arrays;

use super::alone::Shifts;
use super::{Join, Lone};
use crate::operator::evaluate;
use crate::state::{EncodedRows, EntryId, NONE, new_batch};
use crate::{Delta, Error, Result};

/// A change of one side with its keys.
pub(super) struct Probe<'a> {
    pub delta: &'a Delta,
    pub keys: EncodedRows,
    /// Whether some key column is null, so that the row matches nothing.
    pub has_null_key: Vec<bool>,
    /// Matches of each row on the other side.
    pub matches: Vec<i64>,
}

/// Pairs of a row of a change and an entry of the other side.
#[derive(Default)]
struct Pairs {
    rows: Vec<u32>,
    entries: Vec<EntryId>,
}

impl Join {
    pub(super) fn probe<'a>(&self, side: usize, delta: &'a Delta) -> Result<Probe<'a>> {
        let rows = delta.num_rows();
        let columns = evaluate(&self.spec.sides[side].keys, &delta.batch)?;
        let keys = self.sides[side].rows.encode_keys(&columns, rows)?;
        let mut has_null_key = vec![false; rows];
        if !self.spec.null_equals_null {
            for nulls in columns.iter().filter_map(|column| column.logical_nulls()) {
                has_null_key
                    .iter_mut()
                    .enumerate()
                    .for_each(|(row, null)| *null |= nulls.is_null(row));
            }
        }
        Ok(Probe { delta, keys, has_null_key, matches: vec![0; rows] })
    }

    /// Finds the partners of a change on the other side, gives the pairs out and counts them.
    pub(super) fn match_rows(
        &mut self,
        side: usize,
        probe: &mut Probe<'_>,
        shifts: &mut Shifts,
        output: &mut Vec<Delta>,
    ) -> Result<()> {
        let other = 1 - side;
        if self.sides[other].rows.len() == 0 {
            return Ok(());
        }
        let first = self.sides[other].rows.first_of_all(&probe.keys);
        let mut pairs = Pairs::default();
        for (row, first) in first.into_iter().enumerate() {
            if probe.has_null_key[row] {
                continue;
            }
            let mut entry = first;
            while entry != NONE {
                pairs.rows.push(row as u32);
                pairs.entries.push(entry);
                if pairs.rows.len() == self.spec.batch_rows_max {
                    self.settle_pairs(side, probe, std::mem::take(&mut pairs), shifts, output)?;
                }
                entry = self.sides[other].rows.next(entry);
            }
        }
        if pairs.rows.is_empty() {
            Ok(())
        } else {
            self.settle_pairs(side, probe, pairs, shifts, output)
        }
    }

    fn settle_pairs(
        &mut self,
        side: usize,
        probe: &mut Probe<'_>,
        mut pairs: Pairs,
        shifts: &mut Shifts,
        output: &mut Vec<Delta>,
    ) -> Result<()> {
        let mut columns = Vec::new();
        if self.spec.gives_pairs || self.spec.condition.is_some() {
            columns = self.pair_columns(side, probe, &pairs)?;
        }
        if let Some(condition) = &self.spec.condition {
            let batch = new_batch(&self.spec.pair_schema, columns, pairs.rows.len())?;
            let verdict = condition.evaluate(&batch)?.into_array(pairs.rows.len())?;
            let verdict = verdict.as_boolean();
            let passing =
                (0..verdict.len()).filter(|pair| verdict.is_valid(*pair) && verdict.value(*pair));
            let passing: Vec<u32> = passing.map(|pair| pair as u32).collect();
            pairs = Pairs {
                rows: passing.iter().map(|pair| pairs.rows[*pair as usize]).collect(),
                entries: passing.iter().map(|pair| pairs.entries[*pair as usize]).collect(),
            };
            columns = take_arrays(batch.columns(), &UInt32Array::from(passing), None)?;
        }
        pairs.rows.iter().for_each(|row| probe.matches[*row as usize] += 1);
        if self.spec.sides[1 - side].lone != Lone::Never {
            for (row, entry) in pairs.rows.iter().zip(&pairs.entries) {
                shifts.add(*entry, probe.delta.weight(*row as usize));
            }
        }
        if self.spec.gives_pairs && !pairs.rows.is_empty() {
            let batch = new_batch(&self.spec.schema, columns, pairs.rows.len())?;
            self.given_bytes = self.given_bytes.saturating_add(batch.get_array_memory_size());
            if self.given_bytes > self.spec.output_bytes_max {
                return Err(Error::TooMuchOutput { max: self.spec.output_bytes_max });
            }
            let weights = probe.delta.weight_values();
            let weights = weights.map(|weights| {
                pairs.rows.iter().map(|row| weights[*row as usize]).collect::<Int64Array>()
            });
            output.push(Delta { batch, weights });
        }
        Ok(())
    }

    /// Left columns, then right columns of the pairs.
    fn pair_columns(&self, side: usize, probe: &Probe<'_>, pairs: &Pairs) -> Result<Vec<ArrayRef>> {
        let first = pairs.rows[0];
        let is_run = pairs.rows.iter().zip(first..).all(|(row, expected)| *row == expected);
        let mut own = match is_run {
            // Each row has one partner, as with most lookups of a master row: nothing to copy.
            true => probe.delta.batch.slice(first as usize, pairs.rows.len()).columns().to_vec(),
            false => take_arrays(
                probe.delta.batch.columns(),
                &UInt32Array::from(pairs.rows.clone()),
                None,
            )?,
        };
        let mut other = self.sides[1 - side].rows.gather(&pairs.entries)?;
        if side == 0 {
            own.append(&mut other);
            return Ok(own);
        }
        other.append(&mut own);
        Ok(other)
    }
}
