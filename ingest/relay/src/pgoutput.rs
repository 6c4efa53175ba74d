//! PostgreSQL's `pgoutput` messages, protocol version 1 in text: as much as the outbox needs.

use std::collections::HashMap;

use bytes::{Buf, Bytes};
use chrono::{DateTime, Utc};
use millrace_events::{EventId, Lsn};

use crate::Error;

/// A row of an outbox table. The envelope is passed through untouched.
#[derive(Clone, Debug)]
pub(crate) struct OutboxRow {
    pub(crate) schema: String,
    /// As PostgreSQL writes it in UTC.
    pub(crate) recorded_at: String,
    pub(crate) event_id: EventId,
    pub(crate) topic: String,
    pub(crate) event_type: String,
    pub(crate) aggregate_id: String,
    pub(crate) traceparent: Option<String>,
    pub(crate) envelope: Bytes,
}

/// A committed transaction that appended to an outbox.
#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) committed_at: DateTime<Utc>,
    /// End of its commit record.
    pub(crate) end: Lsn,
    pub(crate) rows: Vec<OutboxRow>,
}

/// The columns of the contract, in the order [`OutboxRow`] is built from.
const COLUMNS: [&str; 7] =
    ["recorded_at", "event_id", "topic", "event_type", "aggregate_id", "traceparent", "envelope"];

/// An outbox table: where each column of the contract stands in its tuples.
#[derive(Debug)]
struct Relation {
    schema: String,
    columns: [usize; COLUMNS.len()],
}

#[derive(Debug)]
struct Open {
    xid: u32,
    committed_at: DateTime<Utc>,
    rows: Vec<OutboxRow>,
    bytes: usize,
}

/// Builds transactions out of the messages of one replication session.
#[derive(Debug)]
pub(crate) struct Assembler {
    rows_max: usize,
    bytes_max: usize,
    relations: HashMap<u32, Relation>,
    open: Option<Open>,
}

/// Microseconds from 1970 to PostgreSQL's epoch, 2000-01-01.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

impl Assembler {
    pub(crate) fn new(rows_max: usize, bytes_max: usize) -> Self {
        Self { rows_max, bytes_max, relations: HashMap::new(), open: None }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(crate) fn begin(&mut self, xid: u32, lsn: Lsn, commit_micros: i64) -> Result<(), Error> {
        let committed_at = DateTime::from_timestamp_micros(commit_micros + EPOCH_MICROS)
            .ok_or_else(|| decode(lsn, format!("transaction {xid} has no valid commit time")))?;
        self.open = Some(Open { xid, committed_at, rows: Vec::new(), bytes: 0 });
        Ok(())
    }

    /// A change or a description of a table.
    pub(crate) fn change(&mut self, lsn: Lsn, data: Bytes) -> Result<(), Error> {
        match (Reader { lsn, data }).message()? {
            Message::Relation(id, relation) => {
                self.relations.insert(id, relation);
            }
            Message::Insert(id, mut reader) => {
                let relation = self.relations.get(&id).ok_or_else(|| {
                    decode(lsn, format!("an insert into the undescribed table {id}"))
                })?;
                let row = reader.row(relation)?;
                let open = self
                    .open
                    .as_mut()
                    .ok_or_else(|| decode(lsn, "an insert outside a transaction"))?;
                open.bytes += row.envelope.len();
                open.rows.push(row);
                let too_large = |limit, setting| {
                    Err(Error::TransactionTooLarge { xid: open.xid, limit, setting })
                };
                if open.rows.len() > self.rows_max {
                    return too_large(self.rows_max, "transaction_rows_max");
                }
                if open.bytes > self.bytes_max {
                    return too_large(self.bytes_max, "transaction_bytes_max");
                }
            }
            Message::Other => {}
        }
        Ok(())
    }

    /// The transaction that ends here; it may have no rows.
    pub(crate) fn commit(&mut self, end: Lsn) -> Result<Transaction, Error> {
        let open =
            self.open.take().ok_or_else(|| decode(end, "a commit without its transaction"))?;
        Ok(Transaction { committed_at: open.committed_at, end, rows: open.rows })
    }
}

enum Message {
    Relation(u32, Relation),
    Insert(u32, Reader),
    Other,
}

struct Reader {
    lsn: Lsn,
    data: Bytes,
}

impl Reader {
    fn message(mut self) -> Result<Message, Error> {
        match self.byte()? {
            b'R' => {
                let id = self.u32()?;
                Ok(Message::Relation(id, self.relation()?))
            }
            b'I' => {
                let id = self.u32()?;
                match self.byte()? {
                    b'N' => Ok(Message::Insert(id, self)),
                    other => Err(decode(self.lsn, format!("an insert with a {other:#x} tuple"))),
                }
            }
            // Types and origins; the publication carries inserts only.
            _ => Ok(Message::Other),
        }
    }

    fn relation(&mut self) -> Result<Relation, Error> {
        let schema = self.name()?;
        let table = self.name()?;
        self.byte()?;
        let mut names = Vec::new();
        for _ in 0..self.u16()? {
            self.byte()?;
            names.push(self.name()?);
            self.u32()?;
            self.u32()?;
        }
        let mut columns = [0; COLUMNS.len()];
        for (place, wanted) in columns.iter_mut().zip(COLUMNS) {
            *place = names.iter().position(|name| name == wanted).ok_or_else(|| {
                decode(self.lsn, format!("{schema}.{table} has no column {wanted}"))
            })?;
        }
        Ok(Relation { schema, columns })
    }

    fn row(&mut self, relation: &Relation) -> Result<OutboxRow, Error> {
        let mut values = Vec::with_capacity(COLUMNS.len());
        for _ in 0..self.u16()? {
            values.push(match self.byte()? {
                b'n' => None,
                b't' => {
                    let length = self.u32()? as usize;
                    Some(self.take(length)?)
                }
                other => {
                    return Err(decode(self.lsn, format!("a column of the kind {other:#x}")));
                }
            });
        }
        let lsn = self.lsn;
        let mut column = |at: usize| -> Result<Option<Bytes>, Error> {
            values
                .get_mut(relation.columns[at])
                .map(Option::take)
                .ok_or_else(|| decode(lsn, "a tuple shorter than its table"))
        };
        let text = |value: Bytes, at: usize| {
            String::from_utf8(value.into())
                .map_err(|_| decode(lsn, format!("{} is not UTF-8", COLUMNS[at])))
        };
        let missing = |at: usize| {
            decode(lsn, format!("{}.outbox has a row without {}", relation.schema, COLUMNS[at]))
        };
        let mut required =
            |at: usize| column(at)?.ok_or_else(|| missing(at)).and_then(|value| text(value, at));
        let (recorded_at, event_id) = (required(0)?, required(1)?);
        let (topic, event_type, aggregate_id) = (required(2)?, required(3)?, required(4)?);
        let traceparent = column(5)?.map(|value| text(value, 5)).transpose()?;
        let envelope = column(6)?.ok_or_else(|| missing(6))?;
        Ok(OutboxRow {
            schema: relation.schema.clone(),
            recorded_at,
            event_id: event_id
                .parse()
                .map_err(|_| decode(lsn, format!("event_id {event_id:?} is not a UUID")))?,
            topic,
            event_type,
            aggregate_id,
            traceparent,
            envelope,
        })
    }

    fn short(&self) -> Error {
        decode(self.lsn, "a message that ends too early")
    }

    fn byte(&mut self) -> Result<u8, Error> {
        self.data.try_get_u8().map_err(|_| self.short())
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.data.try_get_u16().map_err(|_| self.short())
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.data.try_get_u32().map_err(|_| self.short())
    }

    fn take(&mut self, length: usize) -> Result<Bytes, Error> {
        if self.data.len() < length {
            return Err(self.short());
        }
        Ok(self.data.split_to(length))
    }

    /// A text that ends with a zero byte.
    fn name(&mut self) -> Result<String, Error> {
        let length = self.data.iter().position(|&byte| byte == 0).ok_or_else(|| self.short())?;
        let name = self.take(length)?;
        self.data.advance(1);
        String::from_utf8(name.into()).map_err(|_| decode(self.lsn, "a name that is not UTF-8"))
    }
}

fn decode(lsn: Lsn, detail: impl Into<String>) -> Error {
    Error::Decode { lsn, detail: detail.into() }
}

#[cfg(test)]
mod tests {
    use bytes::{BufMut, BytesMut};

    use super::*;

    fn relation(columns: &[&str]) -> Bytes {
        let mut data = BytesMut::new();
        data.put_slice(b"R\0\0\0\x07sales\0outbox\0d");
        data.put_u16(u16::try_from(columns.len()).unwrap());
        for column in columns {
            data.put_u8(0);
            data.put_slice(column.as_bytes());
            data.put_u8(0);
            data.put_u64(0);
        }
        data.freeze()
    }

    fn insert(values: &[Option<&str>]) -> Bytes {
        let mut data = BytesMut::new();
        data.put_slice(b"I\0\0\0\x07N");
        data.put_u16(u16::try_from(values.len()).unwrap());
        for value in values {
            match value {
                None => data.put_u8(b'n'),
                Some(value) => {
                    data.put_u8(b't');
                    data.put_u32(u32::try_from(value.len()).unwrap());
                    data.put_slice(value.as_bytes());
                }
            }
        }
        data.freeze()
    }

    const ID: &str = "0190a0b0-0000-7000-8000-000000000001";
    const ROW: [Option<&str>; 7] = [
        Some("2026-01-01 00:00:00+00"),
        Some(ID),
        Some("t"),
        Some("e"),
        Some("a"),
        None,
        Some("{}"),
    ];

    fn open() -> Assembler {
        let mut assembler = Assembler::new(2, 100);
        assembler.begin(5, Lsn(1), 0).unwrap();
        assembler.change(Lsn(1), relation(&COLUMNS)).unwrap();
        assembler
    }

    #[test]
    fn rows_wait_for_their_commit() {
        let mut assembler = open();
        assembler.change(Lsn(2), insert(&ROW)).unwrap();
        assert!(assembler.is_open());
        let transaction = assembler.commit(Lsn(9)).unwrap();
        assert_eq!(transaction.rows.len(), 1);
        assert_eq!(transaction.rows[0].schema, "sales");
        assert_eq!(transaction.rows[0].event_id.to_string(), ID);
        assert_eq!(transaction.committed_at.to_rfc3339(), "2000-01-01T00:00:00+00:00");
        assert!(!assembler.is_open());
    }

    #[test]
    fn columns_are_found_by_name() {
        let mut assembler = open();
        let mut columns = COLUMNS.to_vec();
        columns.push("added_later");
        columns.reverse();
        let mut values = ROW.to_vec();
        values.push(Some("x"));
        values.reverse();
        assembler.change(Lsn(2), relation(&columns)).unwrap();
        assembler.change(Lsn(2), insert(&values)).unwrap();
        assert_eq!(assembler.commit(Lsn(9)).unwrap().rows[0].aggregate_id, "a");
    }

    #[test]
    fn a_transaction_over_the_limit_is_refused() {
        let mut assembler = open();
        assembler.change(Lsn(2), insert(&ROW)).unwrap();
        assembler.change(Lsn(2), insert(&ROW)).unwrap();
        let refused = assembler.change(Lsn(2), insert(&ROW));
        assert!(matches!(refused, Err(Error::TransactionTooLarge { limit: 2, .. })));
    }

    #[test]
    fn a_message_cut_anywhere_is_an_error_and_no_panic() {
        for whole in [relation(&COLUMNS), insert(&ROW)] {
            for length in 0..whole.len() {
                let cut = open().change(Lsn(2), whole.slice(..length));
                assert!(matches!(cut, Err(Error::Decode { .. })), "{length}: {cut:?}");
            }
        }
    }
}
