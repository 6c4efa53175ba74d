//! Rows given out without a partner, and the counts of matches that decide it.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::take_arrays;

use super::pairs::Probe;
use super::{Join, Lone};
use crate::state::{EntryId, new_batch};
use crate::{Delta, Result};

/// Changes of match counts by entry, in the order of first appearance.
#[derive(Default)]
pub(super) struct Shifts {
    places: hashbrown::HashMap<EntryId, usize>,
    entries: Vec<EntryId>,
    sums: Vec<i64>,
}

impl Shifts {
    pub(super) fn add(&mut self, entry: EntryId, weight: i64) {
        let next = self.entries.len();
        let place = *self.places.entry(entry).or_insert(next);
        if place == next {
            self.entries.push(entry);
            self.sums.push(0);
        }
        self.sums[place] += weight;
    }
}

/// Whether rows with so many matches have one.
fn marks(matches: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(matches.map(|matches| Some(matches > 0)).collect::<BooleanArray>())
}

impl Join {
    /// Gives out rows of the change that stand alone.
    pub(super) fn give_alone(
        &self,
        side: usize,
        probe: &Probe<'_>,
        output: &mut Vec<Delta>,
    ) -> Result<()> {
        let lone = self.spec.sides[side].lone;
        let rows = (0..probe.matches.len()).filter(|row| lone.is_given(probe.matches[*row]));
        let rows: Vec<u32> = rows.map(|row| row as u32).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let mut columns =
            take_arrays(probe.delta.batch.columns(), &UInt32Array::from(rows.clone()), None)?;
        if lone == Lone::Marked {
            columns.push(marks(probe.matches.iter().copied()));
        }
        let batch = self.lone_batch(side, columns, rows.len())?;
        let weights = probe.delta.weight_values();
        let weights = weights
            .map(|weights| rows.iter().map(|row| weights[*row as usize]).collect::<Int64Array>());
        output.push(Delta { batch, weights });
        Ok(())
    }

    /// Rows of one side as output rows: the other side's columns are null, or not there.
    fn lone_batch(
        &self,
        side: usize,
        mut columns: Vec<ArrayRef>,
        rows: usize,
    ) -> Result<RecordBatch> {
        if self.spec.gives_pairs {
            let fields = self.spec.sides[1 - side].schema.fields().iter();
            let mut nulls: Vec<ArrayRef> =
                fields.map(|field| new_null_array(field.data_type(), rows)).collect();
            if side == 0 {
                columns.append(&mut nulls);
            } else {
                nulls.append(&mut columns);
                columns = nulls;
            }
        }
        new_batch(&self.spec.schema, columns, rows)
    }

    /// Applies changed match counts of one side's rows and gives out or takes back those that stand alone.
    pub(super) fn shift_matches(
        &mut self,
        side: usize,
        shifts: Shifts,
        output: &mut Vec<Delta>,
    ) -> Result<()> {
        let lone = self.spec.sides[side].lone;
        let matches = &mut self.sides[side].matches;
        let mut entries = Vec::new();
        let mut weights = Vec::new();
        let mut marked = Vec::new();
        for (entry, shift) in shifts.entries.iter().zip(&shifts.sums) {
            let count = &mut matches[*entry as usize];
            let (before, after) = (*count, *count + shift);
            *count = after;
            if lone == Lone::Marked && (before > 0) != (after > 0) {
                entries.extend([*entry; 2]);
                weights.extend([-1, 1]);
                marked.extend([before, after]);
            } else if lone.is_given(before) != lone.is_given(after) {
                entries.push(*entry);
                weights.push(if lone.is_given(after) { 1 } else { -1 });
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        let mut columns = self.sides[side].rows.gather(&entries)?;
        if lone == Lone::Marked {
            columns.push(marks(marked.into_iter()));
        }
        let batch = self.lone_batch(side, columns, entries.len())?;
        output.push(Delta::weighted(batch, weights));
        Ok(())
    }

    /// Counts the matches of all rows of `side` afresh, after a restore.
    pub(super) fn recount(&mut self, side: usize) -> Result<()> {
        self.sides[side].matches = vec![0; self.sides[side].rows.slots()];
        for (batch, entries) in self.sides[side].rows.contents()? {
            let delta = Delta::inserts(batch);
            let mut probe = self.probe(side, &delta)?;
            self.match_rows(side, &mut probe, &mut Shifts::default(), &mut Vec::new())?;
            for (entry, matches) in entries.into_iter().zip(probe.matches) {
                self.sides[side].matches[entry as usize] = matches;
            }
        }
        Ok(())
    }
}
