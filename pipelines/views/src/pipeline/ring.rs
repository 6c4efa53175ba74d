//! The recent changes of one view, kept for streams that resume.

use std::collections::VecDeque;
use std::sync::Arc;

use millrace_events::Position;

use crate::ViewChange;

/// Bounded in rows and epochs; the oldest go first.
#[derive(Debug)]
pub(super) struct Ring {
    changes: VecDeque<Arc<ViewChange>>,
    rows: usize,
    /// All changes behind this position are here.
    complete_after: Position,
    /// The rows of a view that was defined later follow from each other since here: whoever holds rows of before
    /// holds those of another definition.
    since: Option<Position>,
    rows_max: usize,
    epochs_max: usize,
}

impl Ring {
    pub fn new(since: Option<Position>, rows_max: usize, epochs_max: usize) -> Self {
        let complete_after = since.unwrap_or(Position::START);
        Self { changes: VecDeque::new(), rows: 0, complete_after, since, rows_max, epochs_max }
    }

    pub fn since(&self) -> Option<Position> {
        self.since
    }

    /// Whether a stream that was told up to `position` can go on.
    pub fn can_resume(&self, position: Position) -> bool {
        position >= self.complete_after && self.since.is_none_or(|since| position > since)
    }

    pub fn push(&mut self, change: Arc<ViewChange>) {
        self.rows += change.num_rows();
        self.changes.push_back(change);
        while self.rows > self.rows_max || self.changes.len() > self.epochs_max {
            let Some(oldest) = self.changes.pop_front() else { break };
            self.rows -= oldest.num_rows();
            self.complete_after = oldest.position;
        }
    }

    /// Forgets everything: changes up to `position` were not told.
    pub fn reset(&mut self, position: Position) {
        self.changes.clear();
        self.rows = 0;
        self.complete_after = position;
    }

    /// The first change behind `position`; `None` when changes behind it have been forgotten.
    pub fn after(&self, position: Position) -> Option<Option<Arc<ViewChange>>> {
        if position < self.complete_after {
            return None;
        }
        let index = self.changes.partition_point(|change| change.position <= position);
        Some(self.changes.get(index).cloned())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, RecordBatch};

    use super::*;

    fn change(position: u64, rows: usize) -> Arc<ViewChange> {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        Arc::new(ViewChange {
            epoch: position,
            position: Position(position),
            as_of: None,
            upserts: batch.slice(0, rows),
            deletes: batch.slice(0, 0),
        })
    }

    #[test]
    fn what_was_dropped_is_known_to_be_missing() {
        let mut ring = Ring::new(None, 4, 100);
        ring.reset(Position(10));
        assert!(ring.after(Position(9)).is_none());
        assert!(ring.after(Position(10)).expect("retained").is_none());
        ring.push(change(12, 2));
        ring.push(change(15, 2));
        let next = |ring: &Ring, from| ring.after(Position(from)).map(|c| c.map(|c| c.position.0));
        assert_eq!(next(&ring, 10), Some(Some(12)));
        assert_eq!(next(&ring, 13), Some(Some(15)));
        ring.push(change(16, 1));
        assert_eq!(next(&ring, 10), None);
        assert_eq!(next(&ring, 12), Some(Some(15)));
    }

    #[test]
    fn rows_of_another_definition_are_no_place_to_go_on_from() {
        let ring = Ring::new(Some(Position(7)), 3, 100);
        // A snapshot of the new rows may be of that very position.
        assert!(ring.after(Position(7)).expect("retained").is_none());
        assert!(!ring.can_resume(Position(7)) && ring.can_resume(Position(8)));
    }

    #[test]
    fn a_change_larger_than_the_ring_is_a_gap_not_a_surprise() {
        let mut ring = Ring::new(None, 3, 100);
        ring.push(change(5, 4));
        assert!(ring.after(Position(0)).is_none());
        assert!(ring.after(Position(5)).expect("retained").is_none());
    }
}
