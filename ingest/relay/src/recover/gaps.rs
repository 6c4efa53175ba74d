//! Positions that were given out and are missing in the log.

use std::collections::BTreeMap;

use millrace_events::{EventId, Lsn, Position};

use crate::log::message::Place;
use crate::log::read::{self, Scanned};
use crate::log::topics::TopicInfo;
use crate::{Error, RelayOptions};

pub(crate) type Tail = BTreeMap<u64, (Place, EventId)>;

/// The log's events after `whole`, and before it those of the same transaction.
pub(crate) fn tail(
    options: &RelayOptions,
    topics: &[TopicInfo],
    whole: Position,
) -> Result<Tail, Error> {
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
pub(crate) struct Torn {
    /// The missing positions, each with the transaction it belongs to.
    pub(crate) tombstones: Vec<Place>,
    /// Events that are there, of transactions that are not whole.
    pub(crate) dead: Vec<EventId>,
}

/// Finds the missing positions after `whole`, up to `used` and to the end of the last transaction begun.
pub(crate) fn torn(whole: Position, used: Position, tail: &Tail) -> Torn {
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
}
