//! What the log already holds beyond the mark replication starts from.

use std::collections::BTreeMap;

use millrace_events::{EventId, Lsn, Position};

use crate::flight::Landed;
use crate::{End, Error};

/// A message found in the log.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) event_id: EventId,
    pub(crate) lsn: Lsn,
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl Logged {
    pub(crate) fn landed(self, position: Position) -> Landed {
        let Self { event_id, topic, partition, offset, .. } = self;
        Landed { topic, partition, end: End { offset, position, event_id } }
    }
}

/// Messages sent before a crash, which the write-ahead log is about to give again.
#[derive(Debug, Default)]
pub(crate) struct Known(BTreeMap<u64, Logged>);

impl Known {
    /// Adds a message of the log; a copy of one that is there already has to agree with it.
    pub(crate) fn insert(&mut self, position: Position, logged: Logged) -> Result<(), Error> {
        if let Some(copy) = self.0.get(&position.0)
            && copy.event_id != logged.event_id
        {
            return Err(Error::CopiesDisagree {
                position,
                logged: copy.event_id,
                outbox: format!("and event {} as well", logged.event_id),
            });
        }
        self.0.insert(position.0, logged);
        Ok(())
    }

    /// The message that already holds this event, if one does. It need not be sent again.
    pub(crate) fn take(
        &mut self,
        position: Position,
        event_id: EventId,
    ) -> Result<Option<Logged>, Error> {
        match self.0.remove(&position.0) {
            Some(logged) if logged.event_id != event_id => Err(Error::CopiesDisagree {
                position,
                logged: logged.event_id,
                outbox: event_id.to_string(),
            }),
            found => Ok(found),
        }
    }

    /// Replication has passed `lsn` with `position` as the last one given: a message that claims to
    /// be committed by then and was not met is one that PostgreSQL does not have.
    pub(crate) fn pass(&self, lsn: Lsn, position: Position) -> Result<(), Error> {
        match self.0.first_key_value() {
            Some((&first, logged)) if logged.lsn <= lsn || first <= position.0 => {
                Err(Error::CopiesDisagree {
                    position: Position(first),
                    logged: logged.event_id,
                    outbox: "none".into(),
                })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(event_id: EventId) -> Logged {
        Logged { event_id, lsn: Lsn(100), topic: "t".into(), partition: 0, offset: 0 }
    }

    #[test]
    fn a_copy_is_known_only_if_it_agrees() {
        let (one, other) = (EventId::new(), EventId::new());
        let mut known = Known::default();
        known.insert(Position(3), logged(one)).unwrap();
        known.insert(Position(3), logged(one)).unwrap();
        assert!(known.insert(Position(3), logged(other)).is_err());
        assert!(known.take(Position(2), other).unwrap().is_none());
        assert!(known.take(Position(3), other).is_err());
    }

    #[test]
    fn an_event_that_postgres_lacks_is_found() {
        let mut known = Known::default();
        known.insert(Position(3), logged(EventId::new())).unwrap();
        assert!(known.pass(Lsn(99), Position(2)).is_ok());
        assert!(known.pass(Lsn(100), Position(2)).is_err());
        assert!(known.pass(Lsn(99), Position(3)).is_err());
    }
}
