//! The rows of a side, after a change.

use super::pairs::Probe;
use super::{Join, Lone, Side};
use crate::operator::output::show_row;
use crate::state::{LazyRows, NONE};
use crate::{Error, Result};

impl Join {
    pub(super) fn insert(&mut self, side: usize, probe: &Probe<'_>) -> Result<()> {
        let mut coming: Vec<u32> = Vec::with_capacity(probe.delta.num_rows());
        for row in (0..probe.delta.num_rows()).filter(|row| !probe.has_null_key[*row]) {
            coming.extend((0..probe.delta.weight(row).max(0)).map(|_| row as u32));
        }
        let keeps_matches = self.spec.sides[side].lone != Lone::Never;
        let side = &mut self.sides[side];
        let entries = side.rows.insert(&probe.delta.batch, &probe.keys, &coming)?;
        if keeps_matches {
            side.matches.resize(side.rows.slots(), 0);
            for (entry, row) in entries.iter().zip(&coming) {
                side.matches[*entry as usize] = probe.matches[*row as usize];
            }
        }
        side.rows.tidy()
    }

    pub(super) fn remove(&mut self, side: usize, probe: &Probe<'_>) -> Result<()> {
        if !probe.delta.retracts() {
            return Ok(());
        }
        let store = &mut self.sides[side].rows;
        let mut rows = LazyRows::new(&probe.delta.batch);
        for row in (0..probe.delta.num_rows()).filter(|row| !probe.has_null_key[*row]) {
            for _ in probe.delta.weight(row)..0 {
                let entry = store.find_row(&probe.keys, &mut rows, row)?;
                if entry == NONE {
                    return Err(missing(side, probe, row));
                }
                store.remove(entry);
            }
        }
        store.tidy()
    }

    /// Takes rows out and in that are told apart by some of their columns.
    pub(super) fn exchange(&mut self, side: usize, probe: &Probe<'_>) -> Result<()> {
        let keeps_matches = self.spec.sides[side].lone != Lone::Never;
        let Side { rows, matches } = &mut self.sides[side];
        let weight = |row: usize| match probe.has_null_key[row] {
            true => 0,
            false => probe.delta.weight(row),
        };
        let entries = rows
            .exchange(&probe.delta.batch, &probe.keys, weight)?
            .map_err(|row| missing(side, probe, row))?;
        if keeps_matches {
            matches.resize(rows.slots(), 0);
            let coming = (0..probe.matches.len()).filter(|row| weight(*row) > 0);
            for (entry, row) in entries.into_iter().zip(coming) {
                matches[entry as usize] = probe.matches[row];
            }
        }
        rows.tidy()
    }
}

/// The error of a row of a change that does not fit what its side holds.
fn missing(side: usize, probe: &Probe<'_>, row: usize) -> Error {
    let place = format!("{} side of a join", if side == 0 { "left" } else { "right" });
    Error::MissingRow { place, row: show_row(&probe.delta.batch, row) }
}
