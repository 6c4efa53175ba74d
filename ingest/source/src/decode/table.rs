//! Rows of one event type.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::SchemaRef;
use millrace_events::{EventSpec, Position};
use uuid::Uuid;

use super::column::{Fields, Form, Text};
use super::envelope::{self, Expected, Target};
use super::{Result, plan};
use crate::Error;

/// Columns before the payload's: position, event_id, event_at, source_service.
const ENVELOPE_COLUMNS: usize = 4;

#[derive(Debug)]
pub(super) struct Table {
    spec: &'static EventSpec,
    name: Arc<str>,
    schema: SchemaRef,
    positions: Vec<i64>,
    event_ids: Text,
    times: Vec<i64>,
    source_services: Text,
    payload: Fields,
}

impl Table {
    pub(super) fn new(spec: &'static EventSpec) -> Self {
        let schema = spec.arrow_schema();
        let payload = schema.fields()[ENVELOPE_COLUMNS..].iter().map(AsRef::as_ref);
        let described = spec.json_schema();
        Self {
            spec,
            name: spec.table_name().into(),
            payload: plan::fields(payload, &described["properties"]["payload"]),
            schema,
            positions: Vec::new(),
            event_ids: Text::new(Form::Any),
            times: Vec::new(),
            source_services: Text::new(Form::Any),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.payload.rows()
    }

    /// Appends one event and gives its time in microseconds. After an error: cut back.
    pub(super) fn read(
        &mut self,
        position: Position,
        event_id: Uuid,
        message: &[u8],
        scratch: &mut String,
    ) -> Result<i64> {
        let expected =
            Expected { event_id, event_type: self.spec.event_type, version: self.spec.version };
        let target = Target {
            event_id: &mut self.event_ids,
            source_service: &mut self.source_services,
            payload: &mut self.payload,
        };
        let event_at = envelope::read(message, &expected, target, scratch)?;
        self.times.push(event_at);
        self.positions.push(position.0.cast_signed());
        Ok(event_at)
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.positions.truncate(rows);
        self.event_ids.truncate(rows);
        self.times.truncate(rows);
        self.source_services.truncate(rows);
        self.payload.truncate(rows);
    }

    /// All rows as a batch; the table is empty afterwards.
    pub(super) fn finish(&mut self) -> std::result::Result<(Arc<str>, RecordBatch), Error> {
        let refused = |source| Error::Schema { table: self.name.to_string(), source };
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(std::mem::take(&mut self.positions))),
            Arc::new(self.event_ids.finish().map_err(refused)?),
            Arc::new(
                TimestampMicrosecondArray::from(std::mem::take(&mut self.times))
                    .with_timezone("UTC"),
            ),
            Arc::new(self.source_services.finish().map_err(refused)?),
        ];
        columns.extend(self.payload.finish().map_err(refused)?);
        let batch = RecordBatch::try_new(self.schema.clone(), columns).map_err(refused)?;
        Ok((self.name.clone(), batch))
    }
}
