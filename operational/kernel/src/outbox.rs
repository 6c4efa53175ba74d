//! Events on their way out: collected while a command runs, written with its last statement.

use millrace_events::{Envelope, Event, EventId};

use crate::deferred::{Column, Deferred, Value, value};
use crate::{Context, Error, Result};

/// Events in one transaction: the relay holds a transaction in memory until its commit.
pub const ROWS_MAX: usize = 10_000;

const COLUMNS: [Column; 7] = [
    ("recorded_at", "timestamptz"),
    ("traceparent", "text"),
    ("event_id", "uuid"),
    ("topic", "text"),
    ("event_type", "text"),
    ("aggregate_id", "text"),
    ("envelope", "text"),
];

/// What a transaction has appended so far, in order.
#[derive(Debug)]
pub(crate) struct Outbox {
    schema: &'static str,
    rows: Vec<Vec<Value>>,
}

impl Outbox {
    /// Of the service with this schema.
    pub fn new(schema: &'static str) -> Self {
        Self { schema, rows: Vec::new() }
    }

    pub fn append<E: Event>(&mut self, context: &Context, event: &E) -> Result<EventId> {
        if self.rows.len() == ROWS_MAX {
            return Err(Error::OutboxFull { limit: ROWS_MAX });
        }
        let spec = E::spec();
        let event_id = EventId::new();
        let envelope = Envelope {
            event_id,
            timestamp: context.now(),
            trace_id: context.trace_id().to_owned(),
            payload: event,
        };
        self.rows.push(vec![
            value(context.now()),
            value(context.traceparent().map(str::to_owned)),
            value(event_id),
            value(spec.topic.as_str()),
            value(spec.event_type),
            value(event.aggregate_id()),
            value(envelope.to_json()?),
        ]);
        Ok(event_id)
    }

    /// Leaves the rows for the transaction's last statement.
    pub fn defer(&mut self, deferred: &mut Deferred) {
        if !self.rows.is_empty() {
            deferred.insert(self.schema, "outbox", &COLUMNS, std::mem::take(&mut self.rows));
        }
    }
}
