//! The log compared with the outbox rows there are: what it lacks, and which positions are missing.

use std::collections::{BTreeMap, HashSet};

use millrace_events::{EventId, Lsn, Position};

use crate::log::message::Place;
use crate::log::read::{self, Scanned};
use crate::log::topics::TopicInfo;
use crate::recover::plan::PlannedRow;
use crate::recover::snapshot::Rows;
use crate::{Error, RelayOptions};

/// What a recovery has to do to the log.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The last position in use, once the tombstones are there.
    pub(crate) last: Position,
    /// The last position whose event the outbox has.
    pub(crate) restored: Position,
    /// Distinct events in the log.
    pub(crate) events: u64,
    pub(crate) tombstones: Vec<Place>,
    /// In the order of recording, which keeps the order of each aggregate.
    pub(crate) lacking: Vec<PlannedRow>,
}

/// Reads the whole log, whose positions up to `used` were given out. What was in flight when the slot
/// was lost, or what the broker lost, may be missing.
pub(crate) fn survey(
    options: &RelayOptions,
    topics: &[TopicInfo],
    used: Position,
    mut rows: Rows,
) -> Result<Survey, Error> {
    let mut present = Present::default();
    let mut in_log = HashSet::new();
    let mut restored = Position::START;
    read::scan(options, topics, |Scanned { place, event_id, .. }| {
        present.add(place);
        if rows.contains_key(&event_id) {
            restored = restored.max(place.position);
            in_log.insert(event_id);
        }
        Ok(())
    })?;
    let torn = match present.whole_until(used) {
        whole if whole >= present.last_end.max(used) => Torn::default(),
        whole => torn(whole, used, &tail(options, topics, whole)?),
    };
    let last = torn.tombstones.iter().map(|place| place.position);
    let last = last.fold(present.last.max(used), Position::max);
    // Events of a transaction with a tombstone become dead letters: they are sent once more.
    for event_id in &torn.dead {
        in_log.remove(event_id);
    }
    rows.retain(|event_id, _| !in_log.contains(event_id));
    let mut lacking: Vec<_> = rows.into_values().collect();
    lacking
        .sort_unstable_by(|a, b| (&a.recorded_at, a.event_id).cmp(&(&b.recorded_at, b.event_id)));
    Ok(Survey { last, restored, events: present.events, tombstones: torn.tombstones, lacking })
}

/// Which positions the log has: a bit for each.
#[derive(Debug, Default)]
struct Present {
    bits: Vec<u64>,
    last: Position,
    /// The last transaction reaches up to here.
    last_end: Position,
    /// Distinct events.
    events: u64,
}

impl Present {
    fn add(&mut self, place: Place) {
        let (word, bit) = ((place.position.0 / 64) as usize, 1 << (place.position.0 % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        self.events += u64::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
        self.last = self.last.max(place.position);
        self.last_end = self.last_end.max(Position(place.position.0 + place.m - place.n));
    }

    /// Every position up to here is there, looking no further than what was begun or given out.
    fn whole_until(&self, used: Position) -> Position {
        let end = self.last_end.max(used).0;
        let is_there = |position: &u64| {
            let word = self.bits.get((position / 64) as usize).copied().unwrap_or_default();
            word & (1 << (position % 64)) != 0
        };
        Position((1..=end).take_while(is_there).last().unwrap_or_default())
    }
}

type Tail = BTreeMap<u64, (Place, EventId)>;

/// The log's events after `whole`, and before it those of the same transaction.
fn tail(options: &RelayOptions, topics: &[TopicInfo], whole: Position) -> Result<Tail, Error> {
    let mut cut = None;
    read::scan(options, topics, |Scanned { place, .. }| {
        if place.position == whole && place.n < place.m {
            cut = Some(place.n);
        }
        Ok(())
    })?;
    let after = whole.0 - cut.unwrap_or_default();
    let mut tail = Tail::new();
    read::scan(options, topics, |Scanned { place, event_id, .. }| {
        if place.position.0 > after {
            tail.insert(place.position.0, (place, event_id));
        }
        Ok(())
    })?;
    Ok(tail)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Torn {
    /// The missing positions, each with the transaction it belongs to.
    tombstones: Vec<Place>,
    /// Events that are there, of transactions that are not whole.
    dead: Vec<EventId>,
}

/// Finds the missing positions after `whole`, up to `used` and to the end of the last transaction begun.
fn torn(whole: Position, used: Position, tail: &Tail) -> Torn {
    let mut torn = Torn::default();
    let mut next = tail.first_key_value().map_or(whole.0 + 1, |(&first, _)| first.min(whole.0 + 1));
    while let Some((_, &(place, _))) = tail.range(next..).next() {
        let first = place.position.0 + 1 - place.n;
        // Whole transactions are missing in between: they become one of tombstones.
        let before = first.max(next);
        fill(&mut torn.tombstones, next, before, (1, before - next), place.lsn);
        let end = first + place.m;
        if (tail.range(before..end).count() as u64) < end - before {
            for position in before..end {
                match tail.get(&position) {
                    Some(&(_, event_id)) => torn.dead.push(event_id),
                    None => {
                        let n = position - first + 1;
                        fill(&mut torn.tombstones, position, position + 1, (n, place.m), place.lsn);
                    }
                }
            }
        }
        next = end;
    }
    let lsn = tail.last_key_value().map_or(Lsn(0), |(_, (place, _))| place.lsn);
    if next <= used.0 {
        fill(&mut torn.tombstones, next, used.0 + 1, (1, used.0 + 1 - next), lsn);
    }
    torn
}

/// Tombstones for `from..to`; the first one is the n-th of m of its transaction.
fn fill(tombstones: &mut Vec<Place>, from: u64, to: u64, (n, m): (u64, u64), lsn: Lsn) {
    for (position, n) in (from..to).zip(n..) {
        tombstones.push(Place { position: Position(position), lsn, n, m });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Position = Position(10);

    fn tail(found: &[(u64, u64, u64)]) -> Tail {
        found
            .iter()
            .map(|&(position, n, m)| {
                let place = Place { position: Position(position), lsn: Lsn(position), n, m };
                (position, (place, EventId(uuid::Uuid::from_u128(position.into()))))
            })
            .collect()
    }

    fn filled(torn: &Torn) -> Vec<(u64, u64, u64)> {
        torn.tombstones.iter().map(|place| (place.position.0, place.n, place.m)).collect()
    }

    fn dead(torn: &Torn) -> Vec<u128> {
        torn.dead.iter().map(|event_id| event_id.0.as_u128()).collect()
    }

    #[test]
    fn a_whole_tail_has_nothing_to_fill() {
        let torn = torn(START, START, &tail(&[(11, 1, 2), (12, 2, 2), (13, 1, 1)]));
        assert_eq!(torn, Torn::default());
    }

    #[test]
    fn a_hole_in_a_transaction_kills_the_whole_of_it() {
        let found = tail(&[(11, 1, 1), (12, 1, 3), (14, 3, 3), (15, 1, 1)]);
        let torn = torn(Position(12), START, &found);
        assert_eq!(filled(&torn), [(13, 2, 3)]);
        assert_eq!(dead(&torn), [12, 14]);
    }

    #[test]
    fn a_transaction_cut_short_is_filled_to_its_end() {
        let torn = torn(START, START, &tail(&[(12, 2, 4)]));
        assert_eq!(filled(&torn), [(11, 1, 4), (13, 3, 4), (14, 4, 4)]);
        assert_eq!(dead(&torn), [12]);
    }

    #[test]
    fn transactions_missing_whole_become_one_of_tombstones() {
        let torn = torn(START, START, &tail(&[(14, 1, 1)]));
        assert_eq!(filled(&torn), [(11, 1, 3), (12, 2, 3), (13, 3, 3)]);
        assert!(dead(&torn).is_empty());
    }

    #[test]
    fn positions_given_out_and_gone_are_filled_too() {
        let torn = torn(START, Position(13), &tail(&[(11, 1, 1)]));
        assert_eq!(filled(&torn), [(12, 1, 2), (13, 2, 2)]);
        assert!(dead(&torn).is_empty());
    }

    #[test]
    fn what_is_there_is_counted_once_and_holes_are_seen() {
        let mut present = Present::default();
        for (place, _) in tail(&[(1, 1, 1), (2, 1, 1), (64, 1, 3)]).into_values() {
            present.add(place);
            present.add(place);
        }
        assert_eq!((present.events, present.last, present.last_end.0), (3, Position(64), 66));
        assert_eq!(present.whole_until(Position(0)), Position(2));
    }
}
