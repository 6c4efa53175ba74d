//! Which life of the database the log is in, and which of its events belong to none.

use millrace_events::{Frontier, Position, PositionRange};

use crate::Pair;

/// How far a restored database goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restored {
    /// The last event of the log that it has.
    pub(crate) event: Position,
    /// The end of the last transaction of the log that it has whole: at most the event.
    pub(crate) whole: Position,
}

/// What is known before a recovery.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) incarnation: u32,
    /// Positions up to here were given out.
    pub(crate) position: Position,
    /// Events that the database does not have, in order.
    pub(crate) orphaned: Vec<PositionRange>,
}

impl Life {
    /// By the pair and by what the log was told: either may be lost, or older than the other.
    pub(crate) fn known(pair: Option<Pair>, told: Option<Frontier>) -> Self {
        let pair = pair.map(|pair| (pair.incarnation, pair.durable.position, pair.orphaned));
        let told = told.map(|told| (told.incarnation, told.position, told.orphaned));
        let mut life = Self { incarnation: 1, position: Position::START, orphaned: Vec::new() };
        for (incarnation, position, orphaned) in [pair, told].into_iter().flatten() {
            life.position = life.position.max(position);
            if incarnation > life.incarnation {
                life.incarnation = incarnation;
                life.orphaned = orphaned;
            }
        }
        life
    }

    /// A new incarnation, of a database that has what is in the log up to the restore point and nothing
    /// of what comes after it up to `last`. Commits are in the order of positions, so events that an
    /// earlier, shorter backup had orphaned are back if this one reaches into them.
    pub(crate) fn restore(&mut self, restored: Restored, last: Position) {
        self.incarnation += 1;
        self.orphaned.retain(|range| range.last < restored.event);
        if restored.whole < last {
            self.orphaned.push(PositionRange { first: restored.whole.next(), last });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(incarnation: u32, position: u64, orphaned: &[(u64, u64)]) -> Life {
        let range = |&(first, last)| PositionRange { first: Position(first), last: Position(last) };
        Life {
            incarnation,
            position: Position(position),
            orphaned: orphaned.iter().map(range).collect(),
        }
    }

    fn up_to(event: u64, whole: u64) -> Restored {
        Restored { event: Position(event), whole: Position(whole) }
    }

    #[test]
    fn what_was_orphaned_before_stays_so_under_a_later_backup() {
        let mut restored = life(2, 150, &[(81, 120)]);
        restored.restore(up_to(140, 140), Position(152));
        assert_eq!(restored, life(3, 150, &[(81, 120), (141, 152)]));
        // Its last event may be in the middle of what was sent again right behind the orphans.
        let mut restored = life(2, 150, &[(81, 120)]);
        restored.restore(up_to(123, 120), Position(150));
        assert_eq!(restored, life(3, 150, &[(81, 120), (121, 150)]));
    }

    #[test]
    fn a_better_backup_brings_back_what_a_shorter_one_had_orphaned() {
        let mut restored = life(2, 150, &[(81, 120)]);
        restored.restore(up_to(110, 110), Position(150));
        assert_eq!(restored, life(3, 150, &[(111, 150)]));
        restored.restore(up_to(62, 60), Position(160));
        assert_eq!(restored, life(4, 150, &[(61, 160)]));
        let mut whole = life(2, 150, &[(81, 120)]);
        whole.restore(up_to(120, 120), Position(150));
        assert_eq!(whole, life(3, 150, &[(121, 150)]));
    }

    #[test]
    fn a_database_that_has_everything_orphans_nothing() {
        let mut restored = life(1, 9, &[]);
        restored.restore(up_to(9, 9), Position(9));
        assert_eq!(restored, life(2, 9, &[]));
    }

    #[test]
    fn a_lost_pair_is_made_up_for_by_what_the_log_was_told() {
        let told = Frontier {
            lsn: millrace_events::Lsn(5),
            position: Position(150),
            at: chrono::DateTime::UNIX_EPOCH,
            incarnation: 2,
            orphaned: life(2, 150, &[(81, 120)]).orphaned,
        };
        assert_eq!(Life::known(None, Some(told)), life(2, 150, &[(81, 120)]));
        assert_eq!(Life::known(None, None), life(1, 0, &[]));
    }
}
