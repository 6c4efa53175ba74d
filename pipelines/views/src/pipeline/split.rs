//! Cuts an epoch at positions where an earlier run may have handed something out.
//!
//! What a mart has received up to a position must be followed by exactly what comes behind it: an
//! epoch that straddled the position could cancel out a change that the mart has seen one half of.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use chrono::{DateTime, Utc};
use millrace_events::Position;
use millrace_source::SourceEpoch;
use std::sync::Arc;

/// A part of an epoch, applied as one.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub first: Position,
    pub last: Position,
    pub tables: Vec<(Arc<str>, RecordBatch)>,
    /// When its newest event was recorded.
    pub newest_event_at: Option<DateTime<Utc>>,
}

impl Piece {
    /// Events handed on: those that became dead letters are not among them.
    pub fn events(&self) -> u64 {
        self.tables.iter().map(|(_, rows)| rows.num_rows() as u64).sum()
    }

    /// Positions that no table has an event at: those of dead letters.
    pub fn lacks(&self) -> Vec<Position> {
        if self.events() == self.last.0 + 1 - self.first.0 {
            return Vec::new();
        }
        let rows = self.tables.iter().flat_map(|(_, rows)| positions(rows));
        let there: HashSet<u64> = rows.map(|position| position.cast_unsigned()).collect();
        (self.first.0..=self.last.0).filter(|at| !there.contains(at)).map(Position).collect()
    }
}

/// `epoch` in pieces that end at each of `ends` inside it and at its own end.
pub(super) fn at(epoch: &SourceEpoch, ends: &BTreeSet<Position>) -> Vec<Piece> {
    let (first, last) = (epoch.first_position, epoch.last_position);
    let inside = ends.range((Bound::Included(first), Bound::Excluded(last))).copied();
    let mut pieces = Vec::new();
    let mut from = first;
    for end in inside.chain([last]) {
        let tables = if from == first && end == last {
            epoch.tables.clone()
        } else {
            let slices = epoch.tables.iter().map(|(name, rows)| {
                let start = rows_before(rows, from);
                (Arc::clone(name), rows.slice(start, rows_before(rows, end.next()) - start))
            });
            slices.filter(|(_, rows)| rows.num_rows() > 0).collect()
        };
        let newest_event_at = if end == last { epoch.newest_event_at } else { newest(&tables) };
        pieces.push(Piece { first: from, last: end, tables, newest_event_at });
        from = end.next();
    }
    pieces
}

/// Rows with a lower position: rows are in position order.
fn rows_before(rows: &RecordBatch, position: Position) -> usize {
    let positions = positions(rows);
    let limit = i64::try_from(position.0).unwrap_or(i64::MAX);
    positions.partition_point(|position| *position < limit)
}

fn positions(rows: &RecordBatch) -> &[i64] {
    let column = rows.column_by_name("position").and_then(|c| c.as_primitive_opt::<Int64Type>());
    column.expect("every event relation has position: Int64").values()
}

fn newest(tables: &[(Arc<str>, RecordBatch)]) -> Option<DateTime<Utc>> {
    use arrow::datatypes::TimestampMicrosecondType;
    let at = |(_, rows): &(Arc<str>, RecordBatch)| {
        let column = rows.column_by_name("event_at")?;
        let times = column.as_primitive_opt::<TimestampMicrosecondType>()?;
        times.values().iter().copied().max()
    };
    DateTime::from_timestamp_micros(tables.iter().filter_map(at).max()?)
}
