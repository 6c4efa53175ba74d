//! Where changes go: a table per view, of changes by epoch, that outlives the engine.
//!
//! Writing an epoch again puts it in the place of what was there, so a replay after a crash doubles nothing.
//! The number of the last whole epoch is written after all of its changes.

use std::collections::BTreeMap;
use std::fmt;

use arrow::util::pretty::pretty_format_batches;
use millrace_engine::Delta;

use crate::fixture::{Rows, add};

/// What an engine's state went through: the epochs it was restored at, each with the number of workers since.
pub type Lineage = Vec<(u64, usize)>;

/// What one epoch gave a view's table.
#[derive(Debug, Clone)]
pub struct Change {
    /// Whether it is all that the view holds, whatever was before.
    pub is_whole: bool,
    pub delta: Option<Delta>,
    pub lineage: Lineage,
}

impl Change {
    /// Whether another change has the same rows in the same order.
    pub fn is_same(&self, other: &Self) -> bool {
        let weights = |delta: &Delta| -> Vec<i64> {
            (0..delta.num_rows()).map(|row| delta.weight(row)).collect()
        };
        self.is_whole == other.is_whole
            && match (&self.delta, &other.delta) {
                (Some(own), Some(other)) => {
                    own.batch == other.batch && weights(own) == weights(other)
                }
                (own, other) => own.is_none() && other.is_none(),
            }
    }

    /// Whether another change comes to the same.
    pub fn comes_to(&self, other: &Self) -> bool {
        self.is_whole == other.is_whole && self.rows() == other.rows()
    }

    pub fn rows(&self) -> Rows {
        let mut rows = Rows::new();
        self.delta.iter().for_each(|delta| add(&mut rows, delta));
        rows
    }
}

impl fmt::Display for Change {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_whole, delta, lineage } = self;
        writeln!(formatter, "whole: {is_whole}, restored and workers: {lineage:?}")?;
        let Some(delta) = delta else { return Ok(()) };
        let weights: Vec<i64> = (0..delta.num_rows()).map(|row| delta.weight(row)).collect();
        let rows = pretty_format_batches(std::slice::from_ref(&delta.batch));
        write!(formatter, "{}\nweights {weights:?}", rows.map_err(|_| fmt::Error)?)
    }
}

/// All tables, and how far they are.
#[derive(Debug, Default)]
pub struct Sink {
    /// By view and epoch.
    changes: BTreeMap<String, BTreeMap<u64, Change>>,
    /// The last epoch of which every change is there.
    progress: u64,
}

impl Sink {
    /// Writes what an epoch gave a view and returns what stood in its place.
    pub fn write(&mut self, view: &str, epoch: u64, change: Change) -> Option<Change> {
        self.changes.entry(view.to_owned()).or_default().insert(epoch, change)
    }

    pub fn progress(&self) -> u64 {
        self.progress
    }

    pub fn finish(&mut self, epoch: u64) {
        self.progress = self.progress.max(epoch);
    }

    /// What a view's table adds up to at the end of an epoch.
    pub fn rows(&self, view: &str, epoch: u64) -> Rows {
        let mut rows = Rows::new();
        let changes =
            self.changes.get(view).into_iter().flat_map(|changes| changes.range(..=epoch));
        for (_, change) in changes {
            if change.is_whole {
                rows.clear();
            }
            change.delta.iter().for_each(|delta| add(&mut rows, delta));
        }
        rows
    }
}
