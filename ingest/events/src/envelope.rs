//! What is around a payload on the wire.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, Event, EventId};

/// The version every event has until a payload changes incompatibly.
pub const VERSION: &str = "v1";

/// An event with its envelope, ready to be written.
#[derive(Clone, Debug)]
pub struct Envelope<'a, E> {
    pub event_id: EventId,
    pub timestamp: DateTime<Utc>,
    /// 32 hex digits of the trace that caused it; a fresh one where none was active.
    pub trace_id: String,
    pub payload: &'a E,
}

#[derive(Serialize)]
struct Wire<'a, E> {
    event_id: EventId,
    event_type: &'static str,
    version: &'static str,
    timestamp: String,
    trace_id: &'a str,
    source_service: &'static str,
    payload: &'a E,
}

impl<E: Event> Envelope<'_, E> {
    /// The envelope as the scope writes it, one JSON object.
    ///
    /// # Errors
    /// [`Error::Json`] when the payload can't be serialised.
    pub fn to_json(&self) -> Result<String, Error> {
        let spec = E::spec();
        serde_json::to_string(&Wire {
            event_id: self.event_id,
            event_type: spec.event_type,
            version: spec.version,
            timestamp: self.timestamp.to_rfc3339_opts(SecondsFormat::Micros, true),
            trace_id: &self.trace_id,
            source_service: spec.source_service,
            payload: self.payload,
        })
        .map_err(|source| Error::Json { event_type: spec.event_type.to_owned(), source })
    }
}

/// An envelope read from the wire; the payload stays text until its type is known.
#[derive(Debug, Deserialize)]
pub struct EnvelopeRef<'a> {
    pub event_id: EventId,
    pub event_type: &'a str,
    pub version: &'a str,
    pub timestamp: DateTime<Utc>,
    pub trace_id: &'a str,
    pub source_service: &'a str,
    #[serde(borrow)]
    pub payload: &'a RawValue,
}
