//! Events on their way out: collected while a command runs, written with its last statement.

use millrace_events::{Envelope, Event, EventId};
use uuid::Uuid;

use crate::deferred::Deferred;
use crate::{Context, Error, Result};

/// Events in one transaction: the relay holds a transaction in memory until its commit.
pub const ROWS_MAX: usize = 10_000;

/// What a transaction has appended so far, in order, as columns.
#[derive(Debug)]
pub(crate) struct Outbox {
    schema: &'static str,
    event_ids: Vec<Uuid>,
    topics: Vec<&'static str>,
    event_types: Vec<&'static str>,
    aggregate_ids: Vec<String>,
    envelopes: Vec<String>,
}

impl Outbox {
    /// Of the service with this schema.
    pub fn new(schema: &'static str) -> Self {
        Self {
            schema,
            event_ids: Vec::new(),
            topics: Vec::new(),
            event_types: Vec::new(),
            aggregate_ids: Vec::new(),
            envelopes: Vec::new(),
        }
    }

    pub fn append<E: Event>(&mut self, context: &Context, event: &E) -> Result<EventId> {
        if self.event_ids.len() == ROWS_MAX {
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
        self.envelopes.push(envelope.to_json()?);
        self.event_ids.push(event_id.0);
        self.topics.push(spec.topic.as_str());
        self.event_types.push(spec.event_type);
        self.aggregate_ids.push(event.aggregate_id());
        Ok(event_id)
    }

    /// Leaves the rows for the transaction's last statement.
    pub fn defer(self, context: &Context, deferred: &mut Deferred) {
        if self.event_ids.is_empty() {
            return;
        }
        let write = format!(
            "insert into {}.outbox \
             (recorded_at, traceparent, event_id, topic, event_type, aggregate_id, envelope) \
             select $1::timestamptz, $2::text, unnest($3::uuid[]), unnest($4::text[]), \
                 unnest($5::text[]), unnest($6::text[]), unnest($7::text[])",
            self.schema
        );
        deferred.push(self.schema, &write, |to| {
            to.bind(context.now())
                .bind(context.traceparent().map(str::to_owned))
                .bind(self.event_ids)
                .bind(self.topics)
                .bind(self.event_types)
                .bind(self.aggregate_ids)
                .bind(self.envelopes)
        });
    }
}
