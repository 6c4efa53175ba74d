//! Transactions that Kafka has not acknowledged whole, in commit order.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use millrace_events::{Lsn, Position};

use crate::{End, LastEvent};

/// A message of a transaction is in the log.
#[derive(Debug)]
pub(crate) struct Landed {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) end: End,
}

/// A transaction on its way.
#[derive(Debug)]
pub(crate) struct Flying {
    first: Position,
    pub(crate) last: Position,
    pub(crate) end: Lsn,
    pub(crate) committed_at: DateTime<Utc>,
    pub(crate) last_event: LastEvent,
    events: usize,
    outstanding: usize,
    bytes: usize,
    /// In the order of acknowledgement: the last one of a partition is the partition's end.
    pub(crate) landed: Vec<Landed>,
}

/// The transactions in flight. What is complete leaves from the front only.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    flying: VecDeque<Flying>,
    events: usize,
    bytes: usize,
}

/// What a transaction brings along when it takes off.
#[derive(Debug)]
pub(crate) struct Departure {
    pub(crate) first: Position,
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) end: Lsn,
    pub(crate) committed_at: DateTime<Utc>,
    pub(crate) last_event: LastEvent,
}

impl Flight {
    pub(crate) fn depart(&mut self, departure: Departure) {
        let Departure { first, events, bytes, end, committed_at, last_event } = departure;
        self.events += events;
        self.bytes += bytes;
        self.flying.push_back(Flying {
            first,
            last: Position(first.0 + events as u64 - 1),
            end,
            committed_at,
            last_event,
            events,
            outstanding: events,
            bytes,
            landed: Vec::with_capacity(events),
        });
    }

    /// Kafka acknowledged the event at this position.
    pub(crate) fn land(&mut self, landed: Landed) {
        let position = landed.end.position;
        let at = self.flying.partition_point(|flying| flying.last < position);
        if let Some(flying) = self.flying.get_mut(at).filter(|flying| flying.first <= position) {
            flying.outstanding -= 1;
            flying.landed.push(landed);
        }
    }

    /// The oldest transaction, once all of it is acknowledged.
    pub(crate) fn arrive(&mut self) -> Option<Flying> {
        if self.flying.front()?.outstanding > 0 {
            return None;
        }
        let flying = self.flying.pop_front()?;
        self.events -= flying.events;
        self.bytes -= flying.bytes;
        Some(flying)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.flying.is_empty()
    }

    pub(crate) fn events(&self) -> usize {
        self.events
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.flying.front().map(|flying| flying.committed_at)
    }
}

#[cfg(test)]
mod tests {
    use millrace_events::EventId;

    use super::*;

    fn landed(position: u64) -> Landed {
        let end = End { offset: 0, position: Position(position), event_id: EventId::new() };
        Landed { topic: "t".into(), partition: 0, end }
    }

    fn departure(first: u64, events: usize) -> Departure {
        let last_event =
            LastEvent { schema: "s".into(), event_id: EventId::new(), recorded_at: String::new() };
        let (first, end) = (Position(first), Lsn(first * 10));
        Departure { first, events, bytes: 1, end, committed_at: DateTime::UNIX_EPOCH, last_event }
    }

    #[test]
    fn transactions_arrive_whole_and_in_order() {
        let mut flight = Flight::default();
        flight.depart(departure(1, 2));
        flight.depart(departure(3, 1));
        flight.land(landed(3));
        flight.land(landed(2));
        assert!(flight.arrive().is_none());
        flight.land(landed(1));
        assert_eq!(flight.arrive().unwrap().last, Position(2));
        assert_eq!(flight.arrive().unwrap().last, Position(3));
        assert!(flight.is_empty());
        assert_eq!((flight.events(), flight.bytes()), (0, 0));
    }
}
