//! One file of the copy, in memory.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use bytes::Bytes;
use millrace_events::{Position, Topic};
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use std::sync::{Arc, LazyLock};
use uuid::Uuid;

use crate::{Error, EventType, Message};

/// Metadata key of the offsets to read next after the file, as JSON.
pub(super) const OFFSETS: &str = "millrace.offsets";
const ROWS_PER_BATCH: usize = 4096;

pub(super) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name| Field::new(name, DataType::Utf8, false);
    Arc::new(Schema::new(vec![
        Field::new("position", DataType::Int64, false),
        text("topic"),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("key", DataType::Binary, false),
        text("event_type"),
        text("event_id"),
        text("lsn"),
        text("txn"),
        Field::new("traceparent", DataType::Utf8, true),
        Field::new("value", DataType::Binary, true),
    ]))
});

/// A file's bytes and what its metadata says.
#[derive(Debug)]
pub(crate) struct Segment {
    path: String,
    bytes: Bytes,
    pub(crate) offsets: BTreeMap<String, Vec<i64>>,
}

impl Segment {
    pub(super) fn open(path: &Path, bytes: Bytes) -> Result<Self, Error> {
        let mut segment = Self { path: path.to_string(), bytes, offsets: BTreeMap::new() };
        let builder = segment.builder()?;
        if *builder.schema().fields() != *SCHEMA.fields() {
            return Err(segment.damaged("its columns are others"));
        }
        let metadata = builder.metadata().file_metadata().key_value_metadata();
        let offsets = metadata
            .and_then(|pairs| pairs.iter().find(|pair| pair.key == OFFSETS))
            .and_then(|pair| serde_json::from_str(pair.value.as_deref()?).ok());
        segment.offsets = offsets.ok_or_else(|| segment.damaged("it has no offsets"))?;
        Ok(segment)
    }

    /// The file's events in position order.
    pub(crate) fn messages(&self) -> Result<Rows, Error> {
        let reader = self.builder()?.with_batch_size(ROWS_PER_BATCH).build();
        let reader = reader.map_err(|error| self.damaged(error))?;
        Ok(Rows { path: self.path.clone(), reader, batch: None, at: 0 })
    }

    /// Position and id of the file's events, the rest left unread.
    pub(super) fn ids(&self) -> Result<Vec<(Position, Uuid)>, Error> {
        let builder = self.builder()?;
        let columns = ProjectionMask::columns(builder.parquet_schema(), ["position", "event_id"]);
        let reader = builder.with_projection(columns).with_batch_size(ROWS_PER_BATCH).build();
        let mut ids = Vec::new();
        for batch in reader.map_err(|error| self.damaged(error))? {
            let batch = batch.map_err(|error| self.damaged(error))?;
            let positions = batch.column(0).as_primitive::<Int64Type>().values().iter();
            for (position, id) in positions.zip(batch.column(1).as_string::<i32>()) {
                let id = id.and_then(|id| Uuid::try_parse(id).ok());
                let id = id.ok_or_else(|| self.damaged("an event id can't be read"))?;
                ids.push((Position(position.cast_unsigned()), id));
            }
        }
        Ok(ids)
    }

    fn builder(&self) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, Error> {
        ParquetRecordBatchReaderBuilder::try_new(self.bytes.clone())
            .map_err(|error| self.damaged(error))
    }

    fn damaged(&self, reason: impl ToString) -> Error {
        Error::CopyDamaged { path: self.path.clone(), reason: reason.to_string() }
    }
}

/// A file's events, one after the other.
pub(crate) struct Rows {
    path: String,
    reader: ParquetRecordBatchReader,
    batch: Option<Columns>,
    at: usize,
}

impl Rows {
    fn damaged(&self, reason: String) -> Error {
        Error::CopyDamaged { path: self.path.clone(), reason }
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("path", &self.path)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

impl Iterator for Rows {
    type Item = Result<Message, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.batch.as_ref().is_none_or(|batch| self.at == batch.rows) {
            match self.reader.next()? {
                Ok(batch) => self.batch = Some(Columns::of(&batch)),
                Err(error) => return Some(Err(self.damaged(error.to_string()))),
            }
            self.at = 0;
        }
        let batch = self.batch.as_ref()?;
        let message = batch
            .message(self.at)
            .ok_or_else(|| self.damaged(format!("row {} of a batch can't be read", self.at)));
        self.at += 1;
        Some(message)
    }
}

/// The columns of a batch, in the order of the schema.
struct Columns {
    rows: usize,
    columns: Vec<ArrayRef>,
}

impl Columns {
    fn of(batch: &RecordBatch) -> Self {
        Self { rows: batch.num_rows(), columns: batch.columns().to_vec() }
    }

    fn text(&self, column: usize, row: usize) -> &str {
        self.columns[column].as_string::<i32>().value(row)
    }

    fn bytes(&self, column: usize, row: usize) -> Bytes {
        Bytes::copy_from_slice(self.columns[column].as_binary::<i32>().value(row))
    }

    fn message(&self, row: usize) -> Option<Message> {
        let topic = self.text(1, row);
        let (number, size) = self.text(8, row).split_once('/')?;
        Some(Message {
            position: Position(
                self.columns[0].as_primitive::<Int64Type>().value(row).cast_unsigned(),
            ),
            topic: Topic::ALL.iter().copied().find(|known| known.as_str() == topic)?,
            partition: self.columns[2].as_primitive::<Int32Type>().value(row),
            offset: self.columns[3].as_primitive::<Int64Type>().value(row),
            key: self.bytes(4, row),
            event_type: EventType::of(self.text(5, row)),
            event_id: Uuid::try_parse(self.text(6, row)).ok()?,
            lsn: self.text(7, row).parse().ok()?,
            number: number.parse().ok()?,
            size: size.parse().ok()?,
            traceparent: self.columns[9].is_valid(row).then(|| self.text(9, row).into()),
            value: self.columns[10].is_valid(row).then(|| self.bytes(10, row)),
        })
    }
}
