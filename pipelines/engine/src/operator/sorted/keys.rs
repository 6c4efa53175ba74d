//! Sort keys: bytes that compare as their rows do.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use crate::Result;
use crate::state::{RowEncoding, columns_at};

/// Keys by number, one after the other.
#[derive(Debug)]
pub(crate) struct SortKeys {
    /// Bytes of each key, where all have as many.
    width: Option<usize>,
    /// Start and length of each key, where they have not.
    spans: Vec<(usize, u32)>,
    bytes: Vec<u8>,
    /// Bytes that belong to no key any more.
    garbage: usize,
}

/// How rows are ordered: by some expressions, and those equal in these by a fixed hash of the row.
#[derive(Debug)]
pub(super) struct RowOrder {
    order: Option<RowConverter>,
    /// The columns that are hashed; none where rows equal in the order are equal or cannot be.
    tie_columns: Vec<usize>,
    ties: RowEncoding,
    width: Option<usize>,
}

/// Bytes of the hash at the end of a key.
const TIE_BYTES: usize = 16;

impl SortKeys {
    fn new(width: Option<usize>) -> Self {
        Self { width, spans: Vec::new(), bytes: Vec::new(), garbage: 0 }
    }

    /// The key of a number.
    #[inline]
    pub fn get(&self, number: u32) -> &[u8] {
        let number = number as usize;
        match self.width {
            Some(width) => &self.bytes[number * width..(number + 1) * width],
            None => {
                let (start, length) = self.spans[number];
                &self.bytes[start..start + length as usize]
            }
        }
    }

    /// Gives a number its key.
    pub fn set(&mut self, number: u32, key: &[u8]) {
        let slot = number as usize;
        match self.width {
            Some(width) => {
                let end = (slot + 1) * width;
                if end > self.bytes.len() {
                    self.bytes.resize(end, 0);
                }
                self.bytes[end - width..end].copy_from_slice(key);
            }
            None => {
                if slot >= self.spans.len() {
                    self.spans.resize(slot + 1, (0, 0));
                }
                self.spans[slot] = (self.bytes.len(), key.len() as u32);
                self.bytes.extend_from_slice(key);
            }
        }
    }

    /// Forgets the key of a number.
    pub fn forget(&mut self, number: u32) {
        if self.width.is_some() {
            return;
        }
        self.garbage += self.spans[number as usize].1 as usize;
        self.spans[number as usize].1 = 0;
        if self.garbage > 4096 && self.garbage > self.bytes.len() / 2 {
            let mut bytes = Vec::with_capacity(self.bytes.len() - self.garbage);
            for (start, length) in &mut self.spans {
                let key = &self.bytes[*start..*start + *length as usize];
                *start = bytes.len();
                bytes.extend_from_slice(key);
            }
            (self.bytes, self.garbage) = (bytes, 0);
        }
    }

    /// Bytes held.
    pub fn state_bytes(&self) -> usize {
        self.bytes.capacity() + self.spans.capacity() * size_of::<(usize, u32)>()
    }
}

impl RowOrder {
    /// The order by columns of `order`; rows of `types` equal in it are told apart by `tie_columns`.
    pub fn new(
        order: &[(DataType, SortOptions)],
        types: &[DataType],
        tie_columns: Vec<usize>,
    ) -> Result<Self> {
        let fixed = |(data_type, _): &(DataType, SortOptions)| match data_type {
            DataType::Boolean => Some(2),
            other => other.primitive_width().map(|width| width + 1),
        };
        let tie_bytes = if tie_columns.is_empty() { 0 } else { TIE_BYTES };
        let width = order.iter().map(fixed).sum::<Option<usize>>().map(|width| width + tie_bytes);
        let fields = order
            .iter()
            .map(|(data_type, options)| SortField::new_with_options(data_type.clone(), *options));
        let fields: Vec<SortField> = fields.collect();
        let tie_types = tie_columns.iter().map(|column| types[*column].clone()).collect();
        Ok(Self {
            order: (!fields.is_empty()).then(|| RowConverter::new(fields)).transpose()?,
            ties: RowEncoding::new(tie_types)?,
            tie_columns,
            width,
        })
    }

    pub fn no_keys(&self) -> SortKeys {
        SortKeys::new(self.width)
    }

    /// The keys of all rows of `batch`, of which `columns` are those that order.
    pub fn keys(&self, columns: &[ArrayRef], batch: &RecordBatch) -> Result<SortKeys> {
        let rows = batch.num_rows();
        let order = self.order.as_ref().map(|order| order.convert_columns(columns)).transpose()?;
        let ties = match self.tie_columns.as_slice() {
            [] => None,
            columns => Some(self.ties.encode_unhashed(&columns_at(batch, columns), rows)?),
        };
        let mut keys = self.no_keys();
        keys.bytes.reserve(rows * self.width.unwrap_or_default());
        for row in 0..rows {
            let start = keys.bytes.len();
            if let Some(order) = &order {
                keys.bytes.extend_from_slice(order.row(row).data());
            }
            if let Some(ties) = &ties {
                keys.bytes.extend_from_slice(&stable_hash(ties.row(row)));
            }
            if self.width.is_none() {
                keys.spans.push((start, (keys.bytes.len() - start) as u32));
            }
        }
        Ok(keys)
    }

    /// A key without what tells ties apart.
    pub fn order_part<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        if self.tie_columns.is_empty() { key } else { &key[..key.len() - TIE_BYTES] }
    }
}

/// A hash that is the same on every machine and in every version, wide enough to take equal hashes for equal
/// rows.
fn stable_hash(bytes: &[u8]) -> [u8; TIE_BYTES] {
    let fold = |one: u64, other: u64| {
        let product = u128::from(one) * u128::from(other);
        product as u64 ^ (product >> 64) as u64
    };
    let (mut left, mut right) = (bytes.len() as u64, !(bytes.len() as u64));
    let mut mix = |word: u64| {
        left = fold(left ^ word, 0x9e37_79b9_7f4a_7c15).wrapping_add(word.rotate_left(32));
        right = fold(right ^ word.rotate_left(17), 0xd1b5_4a32_d192_ed03).wrapping_add(left);
    };
    let (words, rest) = bytes.as_chunks::<8>();
    words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(u64::from_le_bytes(last));
    mix(0x2545_f491_4f6c_dd1d);
    let mut hash = [0; TIE_BYTES];
    hash[..8].copy_from_slice(&left.to_be_bytes());
    hash[8..].copy_from_slice(&right.to_be_bytes());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_stays_what_it_is() {
        // A checkpoint relies on it: another value would order ties anew after a restart.
        let hash = |bytes: &[u8]| u128::from_be_bytes(stable_hash(bytes));
        let all: Vec<u128> = (0..64).map(|length| hash(&vec![7; length])).collect();
        let mut distinct = all.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(
            hash(b"millrace, the rows' order"),
            55_993_192_278_742_193_576_144_590_572_034_658_338
        );
    }
}
