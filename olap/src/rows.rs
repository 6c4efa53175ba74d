//! What an epoch brings to the marts, and its form on disk while it is unsent.

use std::io::Cursor;

use arrow::array::{Int64Array, RecordBatch};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use chrono::{DateTime, Utc};
use millrace_events::{Lsn, Position};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The change of one mart in one epoch.
#[derive(Clone, Debug)]
pub enum MartRows {
    /// Rows by key: as they are now, and as they were before they went. No key is in both.
    Keyed { upserts: RecordBatch, deletes: RecordBatch },
    /// Rows to append, each with column `position`; weights are all 1 where left out.
    Appended { rows: RecordBatch, weights: Option<Int64Array> },
}

impl MartRows {
    #[must_use]
    pub fn num_rows(&self) -> usize {
        match self {
            Self::Keyed { upserts, deletes } => upserts.num_rows() + deletes.num_rows(),
            Self::Appended { rows, .. } => rows.num_rows(),
        }
    }
}

/// What one epoch changed in the marts.
#[derive(Clone, Debug)]
pub struct LoadEpoch {
    pub epoch: u64,
    pub first_position: Position,
    pub position: Position,
    /// Every event committed at or before the LSN is included.
    pub frontier: Option<Lsn>,
    /// Commit time of the newest event included.
    pub as_of: Option<DateTime<Utc>>,
    /// Changes by the mart's name.
    pub changes: Vec<(String, MartRows)>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    epoch: u64,
    first_position: Position,
    position: Position,
    frontier: Option<Lsn>,
    as_of: Option<DateTime<Utc>>,
    changes: Vec<ChangeHead>,
}

#[derive(Serialize, Deserialize)]
struct ChangeHead {
    mart: String,
    is_keyed: bool,
    weights: Option<Vec<i64>>,
}

impl LoadEpoch {
    #[must_use]
    pub fn num_rows(&self) -> usize {
        self.changes.iter().map(|(_, rows)| rows.num_rows()).sum()
    }

    /// Appends the epoch to `bytes`.
    ///
    /// # Errors
    /// The columns can't be written as Arrow IPC.
    pub fn write(&self, bytes: &mut Vec<u8>) -> Result<()> {
        let head = Head {
            epoch: self.epoch,
            first_position: self.first_position,
            position: self.position,
            frontier: self.frontier,
            as_of: self.as_of,
            changes: self.changes.iter().map(|(mart, rows)| change_head(mart, rows)).collect(),
        };
        put(bytes, &serde_json::to_vec(&head).expect("plain values are JSON"));
        for (_, rows) in &self.changes {
            match rows {
                MartRows::Keyed { upserts, deletes } => {
                    put(bytes, &stream(upserts)?);
                    put(bytes, &stream(deletes)?);
                }
                MartRows::Appended { rows, .. } => put(bytes, &stream(rows)?),
            }
        }
        Ok(())
    }

    /// The next epoch in `bytes`, which move past it; `None` at the end.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the bytes are not what [`Self::write`] wrote.
    pub fn read(bytes: &mut &[u8]) -> Result<Option<Self>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let head: Head = serde_json::from_slice(take(bytes)?)
            .map_err(|error| Error::Damaged { problem: error.to_string() })?;
        let mut changes = Vec::with_capacity(head.changes.len());
        for change in head.changes {
            let first = unstream(take(bytes)?)?;
            let rows = if change.is_keyed {
                MartRows::Keyed { upserts: first, deletes: unstream(take(bytes)?)? }
            } else {
                MartRows::Appended { rows: first, weights: change.weights.map(Int64Array::from) }
            };
            changes.push((change.mart, rows));
        }
        Ok(Some(Self {
            epoch: head.epoch,
            first_position: head.first_position,
            position: head.position,
            frontier: head.frontier,
            as_of: head.as_of,
            changes,
        }))
    }
}

fn change_head(mart: &str, rows: &MartRows) -> ChangeHead {
    let weights = match rows {
        MartRows::Appended { weights: Some(weights), .. } => Some(weights.values().to_vec()),
        _ => None,
    };
    let is_keyed = matches!(rows, MartRows::Keyed { .. });
    ChangeHead { mart: mart.to_owned(), is_keyed, weights }
}

/// Length, checksum, contents.
fn put(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(part).to_le_bytes());
    bytes.extend_from_slice(part);
}

fn take<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8]> {
    let damaged = |problem: &str| Error::Damaged { problem: problem.to_owned() };
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| damaged("cut off"))?;
    let (checksum, rest) = rest.split_first_chunk::<4>().ok_or_else(|| damaged("cut off"))?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| damaged("too long"))?;
    let part = rest.get(..length).ok_or_else(|| damaged("cut off"))?;
    if crc32fast::hash(part) != u32::from_le_bytes(*checksum) {
        return Err(damaged("a checksum does not fit"));
    }
    *bytes = &rest[length..];
    Ok(part)
}

/// One batch as an Arrow IPC stream.
pub(crate) fn stream(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema())?;
    writer.write(rows)?;
    Ok(writer.into_inner()?)
}

fn unstream(bytes: &[u8]) -> Result<RecordBatch> {
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    let cut_off = || Error::Damaged { problem: "a stream without rows".to_owned() };
    Ok(reader.next().ok_or_else(cut_off)??)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::StringArray;
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    fn epoch() -> LoadEpoch {
        let schema = Arc::new(Schema::new(vec![Field::new("name", DataType::Utf8, false)]));
        let rows = |names: Vec<&str>| {
            RecordBatch::try_new(schema.clone(), vec![Arc::new(StringArray::from(names))]).unwrap()
        };
        LoadEpoch {
            epoch: 3,
            first_position: Position(7),
            position: Position(9),
            frontier: Some(Lsn(77)),
            as_of: None,
            changes: vec![
                (
                    "a".into(),
                    MartRows::Keyed { upserts: rows(vec!["x", "y"]), deletes: rows(vec![]) },
                ),
                (
                    "b".into(),
                    MartRows::Appended {
                        rows: rows(vec!["z"]),
                        weights: Some(Int64Array::from(vec![-1])),
                    },
                ),
            ],
        }
    }

    #[test]
    fn unsent_epochs_come_back_as_they_were() {
        let mut bytes = Vec::new();
        epoch().write(&mut bytes).unwrap();
        epoch().write(&mut bytes).unwrap();
        let mut rest = bytes.as_slice();
        for _ in 0..2 {
            let read = LoadEpoch::read(&mut rest).unwrap().expect("an epoch");
            assert_eq!(format!("{read:?}"), format!("{:?}", epoch()));
        }
        assert!(LoadEpoch::read(&mut rest).unwrap().is_none());
    }

    #[test]
    fn a_flipped_or_missing_byte_is_noticed() {
        let mut bytes = Vec::new();
        epoch().write(&mut bytes).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x20;
            assert!(LoadEpoch::read(&mut damaged.as_slice()).is_err(), "byte {at}");
        }
        assert!(LoadEpoch::read(&mut &bytes[..bytes.len() - 1]).is_err());
    }
}
