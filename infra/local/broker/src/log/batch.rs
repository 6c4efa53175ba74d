//! The head of a record batch as it stands on the wire and on disk (Kafka's message format 2).

use bytes::Bytes;
use nisshi_sans_io::record::deflated::Batch;

use super::{Error, Result};

/// Bytes before a batch's records.
pub const HEAD_BYTES: usize = 61;
/// Offset and length: what stands before the bytes that the length counts.
const PREFIX_BYTES: usize = 12;

/// What has to be known of a batch to find and check it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub base_offset: i64,
    pub last_offset: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    /// Bytes of the whole batch, head and records.
    pub bytes: usize,
    pub is_idempotent: bool,
}

impl Head {
    pub fn of(batch: &Batch) -> Self {
        Self {
            base_offset: batch.base_offset,
            last_offset: batch.max_offset(),
            max_timestamp: batch.max_timestamp,
            producer_id: batch.producer_id,
            producer_epoch: batch.producer_epoch,
            base_sequence: batch.base_sequence,
            bytes: HEAD_BYTES + batch.record_data.len(),
            is_idempotent: batch.is_idempotent(),
        }
    }

    /// Reads a head; `None` where the bytes can't be one.
    pub fn parse(bytes: &[u8; HEAD_BYTES]) -> Option<Self> {
        let i64_at = |at: usize| i64::from_be_bytes(array(bytes, at));
        let i32_at = |at: usize| i32::from_be_bytes(array(bytes, at));
        let base_offset = i64_at(0);
        let length = usize::try_from(i32_at(8)).ok()?;
        let last_offset_delta = i32_at(23);
        let (producer_id, base_sequence) = (i64_at(43), i32_at(53));
        let is_batch = base_offset >= 0
            && length >= HEAD_BYTES - PREFIX_BYTES
            && bytes[16] == 2
            && last_offset_delta >= 0;
        is_batch.then(|| Self {
            base_offset,
            last_offset: base_offset + i64::from(last_offset_delta),
            max_timestamp: i64_at(35),
            producer_id,
            producer_epoch: i16::from_be_bytes(array(bytes, 51)),
            base_sequence,
            bytes: length + PREFIX_BYTES,
            is_idempotent: producer_id != -1 && base_sequence != -1,
        })
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("a head has 61 bytes")
}

/// The batch in these bytes, if they are one and its checksum holds.
pub fn intact(bytes: Bytes) -> Option<Batch> {
    let batch = Batch::try_from(bytes).ok()?;
    (batch.computed_crc() == batch.crc).then_some(batch)
}

/// The batch in these bytes, which were checked when they were written.
pub fn decode(bytes: Bytes) -> Result<Batch> {
    Batch::try_from(bytes).map_err(|error| Error::Batch(error.to_string()))
}
