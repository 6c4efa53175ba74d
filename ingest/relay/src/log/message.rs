//! Headers of an event's message, written and read.

use std::str::FromStr;

use millrace_events::{EventId, Lsn, Position, header};
use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};
use serde::{Deserialize, Serialize};

use crate::Error;

/// Where an event stands: its position, and its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) position: Position,
    /// End of the transaction's commit record.
    pub(crate) lsn: Lsn,
    /// It is the `n`-th of `m` events.
    pub(crate) n: u64,
    pub(crate) m: u64,
}

/// The headers of an event's message.
pub(crate) fn headers(
    place: Place,
    event_id: EventId,
    event_type: &str,
    traceparent: Option<&str>,
) -> OwnedHeaders {
    let Place { position, lsn, n, m } = place;
    let mut headers = OwnedHeaders::new_with_capacity(6);
    for (key, value) in [
        (header::POSITION, position.to_string()),
        (header::LSN, lsn.to_string()),
        (header::TRANSACTION, format!("{n}/{m}")),
        (header::EVENT_ID, event_id.to_string()),
    ] {
        headers = headers.insert(Header { key, value: Some(&value) });
    }
    headers = headers.insert(Header { key: header::EVENT_TYPE, value: Some(event_type) });
    if let Some(traceparent) = traceparent {
        headers = headers.insert(Header { key: header::TRACEPARENT, value: Some(traceparent) });
    }
    headers
}

/// Place and id of an event that is in the log.
pub(crate) fn read(message: &BorrowedMessage<'_>) -> Result<(Place, EventId), Error> {
    let position = parse(message, header::POSITION).map(Position)?;
    let lsn = parse(message, header::LSN)?;
    let event_id = parse(message, header::EVENT_ID)?;
    let transaction: String = parse(message, header::TRANSACTION)?;
    let (n, m) = transaction
        .split_once('/')
        .and_then(|(n, m)| Some((n.parse().ok()?, m.parse().ok()?)))
        .filter(|&(n, m): &(u64, u64)| 1 <= n && n <= m && n <= position.0)
        .ok_or_else(|| wrong(message, header::TRANSACTION))?;
    Ok((Place { position, lsn, n, m }, event_id))
}

fn parse<T: FromStr>(message: &BorrowedMessage<'_>, name: &'static str) -> Result<T, Error> {
    message
        .headers()
        .and_then(|headers| headers.iter().find(|header| header.key == name))
        .and_then(|header| std::str::from_utf8(header.value?).ok()?.parse().ok())
        .ok_or_else(|| wrong(message, name))
}

fn wrong(message: &BorrowedMessage<'_>, header: &'static str) -> Error {
    Error::Message {
        topic: message.topic().to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        header,
    }
}
