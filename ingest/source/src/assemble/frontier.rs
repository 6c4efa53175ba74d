//! How far in PostgreSQL's log everything is known.

use std::collections::VecDeque;

use millrace_events::{Frontier, Lsn, Position};

/// More than the relay sends in a second; beyond it only the newest is kept.
const PENDING_MAX: usize = 1024;

/// Frontiers heard of and the furthest one passed.
#[derive(Debug, Default)]
pub struct Frontiers {
    incarnation: u32,
    pending: VecDeque<(Lsn, Position)>,
    passed: Option<(Lsn, Position)>,
}

impl Frontiers {
    /// Learns of a frontier. One that says less than what is known is ignored: the relay repeats itself
    /// after a crash. One of a new incarnation ends what was known, since LSNs of two don't compare.
    pub fn note(&mut self, frontier: &Frontier) {
        let Frontier { lsn, position, incarnation, .. } = *frontier;
        if incarnation < self.incarnation {
            return;
        }
        if incarnation > self.incarnation {
            *self = Self { incarnation, ..Self::default() };
        }
        if let Some((known_lsn, known_position)) = self.pending.back().copied().or(self.passed)
            && (lsn <= known_lsn || position < known_position)
        {
            return;
        }
        if self.pending.len() == PENDING_MAX {
            self.pending.pop_back();
        }
        self.pending.push_back((lsn, position));
    }

    /// Moves on over all frontiers at or below `position`; whether there were any.
    pub fn pass(&mut self, position: Position) -> bool {
        let mut moved = false;
        while let Some(passed) = self.pending.pop_front_if(|(_, at)| *at <= position) {
            self.passed = Some(passed);
            moved = true;
        }
        moved
    }

    /// Whether [`Frontiers::pass`] would move.
    #[must_use]
    pub fn would_pass(&self, position: Position) -> bool {
        self.pending.front().is_some_and(|(_, at)| *at <= position)
    }

    #[must_use]
    pub fn passed(&self) -> Option<(Lsn, Position)> {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(frontiers: &mut Frontiers, incarnation: u32, lsn: u64, position: u64) {
        let (lsn, position) = (Lsn(lsn), Position(position));
        let at = chrono::DateTime::UNIX_EPOCH;
        frontiers.note(&Frontier { lsn, position, at, incarnation, orphaned: Vec::new() });
    }

    #[test]
    fn a_restored_database_counts_its_lsns_anew() {
        let mut frontiers = Frontiers::default();
        note(&mut frontiers, 1, 90, 7);
        note(&mut frontiers, 1, 95, 8);
        assert!(frontiers.pass(Position(7)));
        note(&mut frontiers, 2, 40, 9);
        assert_eq!(frontiers.passed(), None, "nothing is known of the new incarnation yet");
        note(&mut frontiers, 1, 99, 9);
        assert!(frontiers.pass(Position(9)));
        assert_eq!(frontiers.passed(), Some((Lsn(40), Position(9))));
    }

    #[test]
    fn a_frontier_moves_once_its_events_are_passed() {
        let mut frontiers = Frontiers::default();
        note(&mut frontiers, 1, 10, 3);
        note(&mut frontiers, 1, 20, 3);
        note(&mut frontiers, 1, 30, 7);
        note(&mut frontiers, 1, 15, 3);
        assert!(!frontiers.pass(Position(2)));
        assert!(frontiers.pass(Position(6)));
        assert_eq!(frontiers.passed(), Some((Lsn(20), Position(3))));
        assert!(frontiers.pass(Position(7)));
        assert_eq!(frontiers.passed(), Some((Lsn(30), Position(7))));
    }

    #[test]
    fn the_newest_survives_when_too_many_wait() {
        let mut frontiers = Frontiers::default();
        let last = PENDING_MAX as u64 * 3;
        for at in 1..=last {
            note(&mut frontiers, 1, at, at);
        }
        assert!(frontiers.pending.len() <= PENDING_MAX);
        assert!(frontiers.pass(Position(last)));
        assert_eq!(frontiers.passed(), Some((Lsn(last), Position(last))));
    }
}
