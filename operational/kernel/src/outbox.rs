//! Events on their way out: collected while a command runs, written with its last statement.

use millrace_events::{Envelope, Event, EventId};
use uuid::Uuid;

use crate::deferred::Deferred;
use crate::{Context, Error, Result};

/// Events in one transaction: the relay holds a transaction in memory until its commit.
pub const ROWS_MAX: usize = 10_000;

/// Rows of one schema's outbox, as columns.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub event_ids: Vec<Uuid>,
    pub topics: Vec<&'static str>,
    pub event_types: Vec<&'static str>,
    pub aggregate_ids: Vec<String>,
    pub envelopes: Vec<String>,
}

/// What a transaction has appended so far, by schema, in order.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub schemas: Vec<(&'static str, Rows)>,
    rows: usize,
}

impl Outbox {
    pub fn append<E: Event>(
        &mut self,
        context: &Context,
        schema: &'static str,
        event: &E,
    ) -> Result<EventId> {
        if self.rows == ROWS_MAX {
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
        let envelope = envelope.to_json()?;
        let rows = self.of(schema);
        rows.event_ids.push(event_id.0);
        rows.topics.push(spec.topic.as_str());
        rows.event_types.push(spec.event_type);
        rows.aggregate_ids.push(event.aggregate_id());
        rows.envelopes.push(envelope);
        self.rows += 1;
        Ok(event_id)
    }

    /// Leaves the rows for the transaction's last statement.
    pub fn defer(&mut self, context: &Context, deferred: &mut Deferred) {
        for (schema, rows) in std::mem::take(&mut self.schemas) {
            let write = format!(
                "insert into {schema}.outbox \
                 (recorded_at, traceparent, event_id, topic, event_type, aggregate_id, envelope) \
                 select $1::timestamptz, $2::text, rows.* \
                 from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[]) as rows"
            );
            deferred.push(schema, &write, |to| {
                to.bind(context.now())
                    .bind(context.traceparent().map(str::to_owned))
                    .bind(rows.event_ids)
                    .bind(rows.topics)
                    .bind(rows.event_types)
                    .bind(rows.aggregate_ids)
                    .bind(rows.envelopes)
            });
        }
        self.rows = 0;
    }

    fn of(&mut self, schema: &'static str) -> &mut Rows {
        // Sorted, so that the flush of the same kind of command is always the same prepared text.
        let at = match self.schemas.binary_search_by_key(&schema, |(name, _)| *name) {
            Ok(at) => at,
            Err(at) => {
                self.schemas.insert(at, (schema, Rows::default()));
                at
            }
        };
        &mut self.schemas[at].1
    }
}
