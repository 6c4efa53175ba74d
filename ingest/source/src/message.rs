//! One message of the log, its headers read.

use bytes::Bytes;
use millrace_events::{Lsn, Position, Topic, catalogue, header};
use uuid::Uuid;

/// An event as it came from the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub topic: Topic,
    pub partition: i32,
    pub offset: i64,
    pub position: Position,
    /// End of its transaction's commit record.
    pub lsn: Lsn,
    /// It is number `number` of the `size` events of its transaction.
    pub number: u32,
    pub size: u32,
    pub event_id: Uuid,
    pub event_type: EventType,
    pub traceparent: Option<Box<str>>,
    pub key: Bytes,
    /// The envelope; a tombstone has none.
    pub value: Option<Bytes>,
}

impl Message {
    /// Where it stands in the log, for people: `billing.events.v1[1]@77`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

/// Which event it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventType {
    /// Its place in [`catalogue::EVENTS`].
    Known(usize),
    Unknown(Box<str>),
}

impl EventType {
    #[must_use]
    pub fn of(name: &str) -> Self {
        match catalogue::EVENTS.iter().position(|spec| spec.event_type == name) {
            Some(index) => Self::Known(index),
            None => Self::Unknown(name.into()),
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(index) => catalogue::EVENTS[*index].event_type,
            Self::Unknown(name) => name,
        }
    }
}

/// A message that is not an event of the relay: its place in the order can't be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// For example `header millrace-position is missing`.
    pub reason: String,
}

/// The headers every event carries, as they are read.
#[derive(Debug, Default)]
pub(crate) struct Headers<'a> {
    position: Option<&'a [u8]>,
    lsn: Option<&'a [u8]>,
    transaction: Option<&'a [u8]>,
    event_id: Option<&'a [u8]>,
    event_type: Option<&'a [u8]>,
    traceparent: Option<&'a [u8]>,
}

/// What the headers say.
#[derive(Debug)]
pub(crate) struct Heading {
    pub(crate) position: Position,
    pub(crate) lsn: Lsn,
    pub(crate) number: u32,
    pub(crate) size: u32,
    pub(crate) event_id: Uuid,
    pub(crate) event_type: EventType,
    pub(crate) traceparent: Option<Box<str>>,
}

impl<'a> Headers<'a> {
    pub(crate) fn note(&mut self, name: &str, value: Option<&'a [u8]>) {
        match name {
            header::POSITION => self.position = value,
            header::LSN => self.lsn = value,
            header::TRANSACTION => self.transaction = value,
            header::EVENT_ID => self.event_id = value,
            header::EVENT_TYPE => self.event_type = value,
            header::TRACEPARENT => self.traceparent = value,
            _ => {}
        }
    }

    pub(crate) fn read(&self) -> Result<Heading, Foreign> {
        let position = text(header::POSITION, self.position)?
            .parse()
            .ok()
            .filter(|position| (1..=i64::MAX as u64).contains(position))
            .ok_or_else(|| unreadable(header::POSITION, self.position))?;
        let lsn =
            text(header::LSN, self.lsn)?.parse().map_err(|_| unreadable(header::LSN, self.lsn))?;
        let (number, size) = text(header::TRANSACTION, self.transaction)?
            .split_once('/')
            .and_then(|(number, size)| number.parse::<u32>().ok().zip(size.parse::<u32>().ok()))
            .filter(|(number, size)| (1..=*size).contains(number))
            .ok_or_else(|| unreadable(header::TRANSACTION, self.transaction))?;
        let event_id = Uuid::try_parse(text(header::EVENT_ID, self.event_id)?)
            .map_err(|_| unreadable(header::EVENT_ID, self.event_id))?;
        let event_type = EventType::of(text(header::EVENT_TYPE, self.event_type)?);
        let traceparent =
            self.traceparent.and_then(|value| std::str::from_utf8(value).ok()).map(Box::from);
        Ok(Heading {
            position: Position(position),
            lsn,
            number,
            size,
            event_id,
            event_type,
            traceparent,
        })
    }
}

fn text<'a>(name: &str, value: Option<&'a [u8]>) -> Result<&'a str, Foreign> {
    let value = value.ok_or_else(|| Foreign { reason: format!("header {name} is missing") })?;
    std::str::from_utf8(value).map_err(|_| unreadable(name, Some(value)))
}

fn unreadable(name: &str, value: Option<&[u8]>) -> Foreign {
    let shown = String::from_utf8_lossy(value.unwrap_or_default());
    Foreign { reason: format!("header {name} can't be read: {shown:?}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers() -> Headers<'static> {
        let mut headers = Headers::default();
        headers.note("millrace-position", Some(b"17"));
        headers.note("millrace-lsn", Some(b"0/16B3748"));
        headers.note("millrace-txn", Some(b"2/3"));
        headers.note("event-id", Some(b"0190c0de-0000-7000-8000-000000000001"));
        headers.note("event-type", Some(b"stock.moved"));
        headers.note("someone-else's", None);
        headers
    }

    #[test]
    fn headers_are_read() {
        let heading = headers().read().expect("complete headers");
        assert_eq!((heading.position, heading.number, heading.size), (Position(17), 2, 3));
        assert_eq!(heading.event_type.as_str(), "stock.moved");
        assert_eq!(heading.traceparent, None);
    }

    #[test]
    fn what_has_no_place_in_the_order_is_foreign() {
        for (name, value) in [
            ("millrace-position", "0"),
            ("millrace-position", "-1"),
            ("millrace-lsn", "16B3748"),
            ("millrace-txn", "4/3"),
            ("millrace-txn", "0/0"),
            ("event-id", "x"),
        ] {
            let mut headers = headers();
            headers.note(name, Some(value.as_bytes()));
            let foreign = headers.read().expect_err(name);
            assert!(foreign.reason.contains(name), "{}", foreign.reason);
        }
        let mut headers = headers();
        headers.note("event-type", None);
        assert!(headers.read().expect_err("no type").reason.contains("is missing"));
    }
}
