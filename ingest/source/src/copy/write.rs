//! Events encoded into one file of the copy.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Int32Builder, Int64Builder, RecordBatch, StringBuilder,
};
use millrace_events::Position;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use uuid::Uuid;

use super::segment::{OFFSETS, SCHEMA};
use crate::Message;

const ROWS_PER_BATCH: usize = 1024;
const ROW_GROUP_ROWS: usize = 8192;

/// A file being written, in memory, compressed as it grows.
pub(super) struct SegmentWriter {
    first: Position,
    last: Position,
    columns: Columns,
    parquet: ArrowWriter<Vec<u8>>,
}

impl SegmentWriter {
    /// A file whose first event has this position.
    pub(super) fn new(first: Position) -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_column_dictionary_enabled("value".into(), false)
            .set_column_dictionary_enabled("event_id".into(), false)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_created_by("millrace".to_owned())
            .build();
        Ok(Self {
            first,
            last: Position(first.0 - 1),
            columns: Columns::default(),
            parquet: ArrowWriter::try_new(Vec::new(), SCHEMA.clone(), Some(properties))?,
        })
    }

    pub(super) fn first(&self) -> Position {
        self.first
    }

    pub(super) fn last(&self) -> Position {
        self.last
    }

    pub(super) fn push(&mut self, message: &Message) -> Result<(), ParquetError> {
        debug_assert_eq!(message.position, self.last.next(), "the copy has no gap");
        self.last = message.position;
        self.columns.push(message);
        if self.columns.rows == ROWS_PER_BATCH {
            self.parquet.write(&self.columns.finish()?)?;
        }
        Ok(())
    }

    /// The file's bytes; `offsets` are those to read next after its last event.
    pub(super) fn finish(
        mut self,
        offsets: &BTreeMap<String, Vec<i64>>,
    ) -> Result<Vec<u8>, ParquetError> {
        if self.columns.rows > 0 {
            self.parquet.write(&self.columns.finish()?)?;
        }
        let offsets = serde_json::to_string(offsets).expect("text and numbers are JSON");
        self.parquet.append_key_value_metadata(KeyValue::new(OFFSETS.to_owned(), offsets));
        self.parquet.into_inner()
    }
}

#[derive(Default)]
struct Columns {
    rows: usize,
    position: Int64Builder,
    topic: StringBuilder,
    partition: Int32Builder,
    offset: Int64Builder,
    key: BinaryBuilder,
    event_type: StringBuilder,
    event_id: StringBuilder,
    lsn: StringBuilder,
    txn: StringBuilder,
    traceparent: StringBuilder,
    value: BinaryBuilder,
}

impl Columns {
    fn push(&mut self, message: &Message) {
        self.rows += 1;
        self.position.append_value(message.position.0.cast_signed());
        self.topic.append_value(message.topic.as_str());
        self.partition.append_value(message.partition);
        self.offset.append_value(message.offset);
        self.key.append_value(&message.key);
        self.event_type.append_value(message.event_type.as_str());
        let mut id = Uuid::encode_buffer();
        self.event_id.append_value(message.event_id.hyphenated().encode_lower(&mut id));
        self.lsn.append_value(message.lsn.to_string());
        self.txn.append_value(format!("{}/{}", message.number, message.size));
        self.traceparent.append_option(message.traceparent.as_deref());
        self.value.append_option(message.value.as_deref());
    }

    fn finish(&mut self) -> Result<RecordBatch, ParquetError> {
        self.rows = 0;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.position.finish()),
            Arc::new(self.topic.finish()),
            Arc::new(self.partition.finish()),
            Arc::new(self.offset.finish()),
            Arc::new(self.key.finish()),
            Arc::new(self.event_type.finish()),
            Arc::new(self.event_id.finish()),
            Arc::new(self.lsn.finish()),
            Arc::new(self.txn.finish()),
            Arc::new(self.traceparent.finish()),
            Arc::new(self.value.finish()),
        ];
        Ok(RecordBatch::try_new(SCHEMA.clone(), columns)?)
    }
}
