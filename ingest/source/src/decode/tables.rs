//! Transactions decoded into one table per event type: all of a transaction or nothing of it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use millrace_events::{Position, catalogue};

use super::table::Table;
use super::{Result, Undecodable};
use crate::options::EPOCH_BYTES_MAX;
use crate::{Error, EventType, Message};

/// Decodes messages into the tables of an epoch.
#[derive(Debug)]
pub struct Decoder {
    /// In the order of the catalogue.
    tables: Vec<Table>,
    scratch: String,
    oldest: Option<i64>,
    newest: Option<i64>,
}

/// What an epoch's messages became.
#[derive(Debug)]
pub struct Decoded {
    /// One batch per event type that occurs, by the name of its base relation.
    pub tables: Vec<(Arc<str>, RecordBatch)>,
    pub oldest_event_at: Option<DateTime<Utc>>,
    pub newest_event_at: Option<DateTime<Utc>>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            tables: catalogue::EVENTS.iter().map(|spec| Table::new(spec)).collect(),
            scratch: String::new(),
            oldest: None,
            newest: None,
        }
    }
}

impl Decoder {
    /// Appends all events of one transaction, or none of them.
    ///
    /// # Errors
    /// The first event that can't be decoded, and why.
    pub fn transaction(
        &mut self,
        messages: &[Message],
    ) -> std::result::Result<(), (Position, Undecodable)> {
        let bytes = messages.iter().filter_map(|message| message.value.as_ref()).map(|it| it.len());
        if let (bytes, Some(first)) = (bytes.sum::<usize>(), messages.first())
            && bytes > EPOCH_BYTES_MAX
        {
            let what = format!("its transaction has {bytes} bytes, at most {EPOCH_BYTES_MAX} fit");
            return Err((first.position, *Undecodable::new(what)));
        }
        let before = messages.iter().filter_map(|message| match message.event_type {
            EventType::Known(index) => Some((index, self.tables[index].rows())),
            EventType::Unknown(_) => None,
        });
        let before: Vec<(usize, usize)> = before.collect();
        let mut span: Option<(i64, i64)> = None;
        for message in messages {
            match self.message(message) {
                Ok(at) => {
                    span = Some(span.map_or((at, at), |(old, new)| (old.min(at), new.max(at))));
                }
                Err(error) => {
                    before.iter().for_each(|(index, rows)| self.tables[*index].truncate(*rows));
                    return Err((message.position, *error));
                }
            }
        }
        if let Some((oldest, newest)) = span {
            self.oldest = Some(self.oldest.map_or(oldest, |known| known.min(oldest)));
            self.newest = Some(self.newest.map_or(newest, |known| known.max(newest)));
        }
        Ok(())
    }

    fn message(&mut self, message: &Message) -> Result<i64> {
        let index = match &message.event_type {
            EventType::Known(index) => *index,
            EventType::Unknown(name) => {
                return Err(Undecodable::new(format!("unknown event type {name:?}")));
            }
        };
        let Some(value) = &message.value else {
            return Err(Undecodable::new("a tombstone: the broker had refused the event"));
        };
        self.tables[index].read(message.position, message.event_id, value, &mut self.scratch)
    }

    /// Everything appended since the last call.
    ///
    /// # Errors
    /// [`Error::Schema`] if the decoder broke its promise to keep to the catalogue.
    pub fn finish(&mut self) -> std::result::Result<Decoded, Error> {
        let filled = self.tables.iter_mut().filter(|table| table.rows() > 0);
        let tables = filled.map(Table::finish).collect::<std::result::Result<_, _>>()?;
        let at = |micros: Option<i64>| micros.and_then(DateTime::from_timestamp_micros);
        Ok(Decoded {
            tables,
            oldest_event_at: at(self.oldest.take()),
            newest_event_at: at(self.newest.take()),
        })
    }
}
