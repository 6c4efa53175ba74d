//! What is in the log, and what of it the outbox has.

use std::collections::HashSet;

use millrace_events::{EventId, Position, PositionRange};

use crate::log::message::Place;
use crate::log::read::{self, Scanned};
use crate::log::topics::TopicInfo;
use crate::recover::snapshot::Rows;
use crate::{Error, RelayOptions};

/// The whole log, read once.
#[derive(Debug, Default)]
pub(crate) struct Found {
    present: Bits,
    /// Positions that begin a transaction, and those that end one.
    starts: Bits,
    ends: Bits,
    /// Positions whose event the outbox has …
    held: Bits,
    /// … and those events, in order. One that was a dead letter, or was orphaned, may be there again.
    places: Vec<(EventId, Position)>,
    /// Transactions with an event that nobody knows any more.
    lost: Vec<PositionRange>,
    pub(crate) last: Position,
    /// The last transaction reaches up to here.
    pub(crate) last_end: Position,
    /// Distinct events.
    pub(crate) events: u64,
}

impl Found {
    pub(crate) fn read(
        options: &RelayOptions,
        topics: &[TopicInfo],
        rows: &Rows,
    ) -> Result<Self, Error> {
        let mut found = Self::default();
        read::scan(options, topics, |Scanned { place, event_id, .. }| {
            found.add(place, event_id, rows.contains_key(&event_id));
            Ok(())
        })?;
        found.sort();
        Ok(found)
    }

    fn add(&mut self, place: Place, event_id: EventId, is_held: bool) {
        let Place { position, n, m, .. } = place;
        self.events += u64::from(self.present.set(position));
        let transaction = PositionRange {
            first: Position(position.0 + 1 - n),
            last: Position(position.0 + m - n),
        };
        self.last = self.last.max(position);
        self.last_end = self.last_end.max(transaction.last);
        self.starts.set(transaction.first);
        self.ends.set(transaction.last);
        if event_id.0.is_nil() && self.lost.last() != Some(&transaction) {
            self.lost.push(transaction);
        }
        if is_held {
            self.held.set(position);
            self.places.push((event_id, position));
        }
    }

    fn sort(&mut self) {
        self.places.sort_unstable_by_key(|(event_id, position)| (event_id.0, *position));
        self.places.dedup();
    }

    /// Every position up to here is there, looking no further than what was begun or given out.
    pub(crate) fn whole_until(&self, used: Position) -> Position {
        let end = self.last_end.max(used).0;
        let positions = (1..=end).map(Position);
        positions.take_while(|position| self.present.has(*position)).last().unwrap_or_default()
    }

    /// How far the outbox goes along with the log; the start when it has nothing of it. It may have lost
    /// its oldest rows, so its newest event tells. Of an event sent again the outbox may have the first
    /// and lack the second: only one that is there once tells, and what follows it without a gap.
    pub(crate) fn restored(&self, orphaned: &[PositionRange]) -> Position {
        let is_orphan = |position: Position| orphaned.iter().any(|range| range.contains(position));
        let only = |places: &[(EventId, Position)]| {
            let mut live = places.iter().filter(|(_, position)| !is_orphan(*position));
            match (live.next(), live.next(), places) {
                (Some((_, position)), None, _) | (None, _, [(_, position)]) => Some(*position),
                _ => None,
            }
        };
        let events = self.places.chunk_by(|(one, _), (other, _)| one == other);
        let Some(mut restored) = events.filter_map(only).max() else { return Position::START };
        while self.held.has(restored.next()) {
            restored = restored.next();
        }
        restored
    }

    /// The last end of a transaction of the log that is not behind `position`. What a recovery sends is
    /// one transaction here, though it was many in the database.
    pub(crate) fn transaction_end(&self, position: Position) -> Position {
        let position = position.min(self.last);
        if self.ends.has(position) {
            return position;
        }
        let mut before = (1..=position.0).rev().map(Position);
        before.find(|position| self.starts.has(*position)).map_or(Position::START, Position::before)
    }

    /// The newest event that counts, if the outbox does not have it: then the database was restored, since
    /// the outbox's partition with the last event sent is never dropped.
    pub(crate) fn newest_absent(&self, orphaned: &[PositionRange]) -> Option<Position> {
        let mut newest = (1..=self.last.0).rev().map(Position);
        newest
            .find(|position| self.present.has(*position) && !self.is_dead(*position, orphaned))
            .filter(|position| !self.held.has(*position))
    }

    /// The newest event that counts and that the outbox has.
    pub(crate) fn newest_held(&self, orphaned: &[PositionRange]) -> Option<EventId> {
        let newest = self.live(orphaned).max_by_key(|(_, position)| *position);
        newest.map(|(event_id, _)| event_id)
    }

    /// The events of the outbox that the log has for good: neither as orphans, nor in a transaction that
    /// is dead since nobody knows all of it.
    pub(crate) fn in_log(&self, orphaned: &[PositionRange]) -> HashSet<EventId> {
        self.live(orphaned).map(|(event_id, _)| event_id).collect()
    }

    fn live(&self, orphaned: &[PositionRange]) -> impl Iterator<Item = (EventId, Position)> {
        self.places.iter().copied().filter(|(_, position)| !self.is_dead(*position, orphaned))
    }

    fn is_dead(&self, position: Position, orphaned: &[PositionRange]) -> bool {
        orphaned.iter().chain(&self.lost).any(|range| range.contains(position))
    }
}

/// A set of positions.
#[derive(Debug, Default)]
struct Bits(Vec<u64>);

impl Bits {
    /// Whether it is new.
    fn set(&mut self, position: Position) -> bool {
        let (word, bit) = Self::place(position);
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    fn has(&self, position: Position) -> bool {
        let (word, bit) = Self::place(position);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }

    fn place(position: Position) -> (usize, u64) {
        ((position.0 / 64) as usize, 1 << (position.0 % 64))
    }
}

#[cfg(test)]
mod tests {
    use millrace_events::Lsn;

    use super::*;

    fn id(number: u128) -> EventId {
        EventId(uuid::Uuid::from_u128(number))
    }

    /// Transactions of (event, whether the outbox has it), from position 1 on; event 0 is one that nobody
    /// knows.
    fn found(transactions: &[&[(u128, bool)]]) -> Found {
        let mut found = Found::default();
        let mut position = 0;
        for events in transactions {
            for (n, &(event, is_held)) in (1..).zip(*events) {
                position += 1;
                let place =
                    Place { position: Position(position), lsn: Lsn(0), n, m: events.len() as u64 };
                found.add(place, id(event), is_held);
                found.add(place, id(event), is_held);
            }
        }
        found.sort();
        found
    }

    fn range(first: u64, last: u64) -> PositionRange {
        PositionRange { first: Position(first), last: Position(last) }
    }

    #[test]
    fn what_is_there_is_counted_once_and_holes_are_seen() {
        let mut found = found(&[&[(1, true)], &[(2, true)]]);
        let place = Place { position: Position(64), lsn: Lsn(0), n: 1, m: 3 };
        found.add(place, id(3), true);
        assert_eq!((found.events, found.last, found.last_end.0), (3, Position(64), 66));
        assert_eq!(found.whole_until(Position(0)), Position(2));
    }

    #[test]
    fn a_restored_outbox_ends_with_the_newest_event_it_has() {
        // Its oldest rows are gone.
        let log = found(&[&[(1, false)], &[(2, true), (3, true)], &[(4, false)], &[(5, false)]]);
        assert_eq!(log.restored(&[]), Position(3));
        assert_eq!(found(&[&[(1, false)]]).restored(&[]), Position::START);
        assert_eq!(found(&[]).restored(&[]), Position::START);
    }

    #[test]
    fn an_event_sent_again_after_the_backup_does_not_tell_where_it_ends() {
        let log = found(&[&[(1, true)], &[(2, true)], &[(3, false)], &[(1, true)], &[(4, false)]]);
        assert_eq!(log.restored(&[]), Position(2));
        // Unless it was an orphan the first time, which is what it was sent again for.
        let log = found(&[&[(1, true)], &[(2, true)], &[(3, false)], &[(2, true)]]);
        assert_eq!(log.restored(&[range(2, 3)]), Position(4));
        // A better backup has what a shorter one had orphaned.
        let log = found(&[&[(1, true)], &[(2, true)], &[(3, false)], &[(4, false)]]);
        assert_eq!(log.restored(&[range(2, 4)]), Position(2));
    }

    #[test]
    fn a_transaction_of_the_log_counts_whole_or_not_at_all() {
        let log = found(&[&[(1, true)], &[(2, true), (3, true), (4, false)], &[(5, false)]]);
        assert_eq!(log.restored(&[]), Position(3));
        assert_eq!(log.transaction_end(Position(3)), Position(1));
        assert_eq!(log.transaction_end(Position(4)), Position(4));
        assert_eq!(log.transaction_end(Position(99)), Position(5));
        assert_eq!(log.transaction_end(Position::START), Position::START);
        // What the database has of it is then not in the log for good.
        assert_eq!(log.in_log(&[range(2, 5)]), HashSet::from([id(1)]));
    }

    #[test]
    fn an_outbox_without_the_newest_event_that_counts_is_of_a_restored_database() {
        let log = found(&[&[(1, true)], &[(2, false)], &[(3, false)], &[(4, true), (0, false)]]);
        assert_eq!(log.newest_absent(&[]), Some(Position(3)));
        assert_eq!(log.newest_absent(&[range(2, 3)]), None);
        assert_eq!(found(&[]).newest_absent(&[]), None);
    }

    #[test]
    fn a_transaction_with_an_event_that_nobody_knows_does_not_count() {
        let log = found(&[&[(1, true), (0, false)], &[(2, true)]]);
        assert_eq!(log.in_log(&[]), HashSet::from([id(2)]));
    }
}
