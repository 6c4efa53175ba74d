//! Which rows a query has given, in 64 bits.
//!
//! A row's hash begins as [`SEED`] and absorbs its columns in order, one or more 64-bit words each:
//!
//! * an integer, a date (days since 1970) or a timestamp (milliseconds since 1970): its value;
//! * a float: its IEEE 754 bits;
//! * text: its length in UTF-8 bytes, then the bytes, eight to a little-endian word, the last word filled up
//!   with zeros;
//! * null: [`NULL`].
//!
//! Absorbing a word is `h = (h ^ word) * MULTIPLIER; h ^= h >> 32`. At the end `h *= FINISHER; h ^= h >> 29`.
//! The fingerprint is the sum of the rows' hashes times their weights. All of it wraps around at 64 bits.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType,
    UInt64Type,
};
use millrace_engine::Delta;

use crate::{Error, Result};

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const NULL: u64 = 0x6e75_6c6c;
const MULTIPLIER: u64 = 0x9fb2_1c65_1e98_df25;
const FINISHER: u64 = 0xbf58_476d_1ce4_e5b9;

/// The sum over all rows that came and went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fingerprint {
    sum: u64,
    rows: i64,
}

impl Fingerprint {
    /// The 64 bits.
    pub fn value(self) -> u64 {
        self.sum
    }

    /// Rows that there are: those that came less those that went.
    pub fn rows(self) -> i64 {
        self.rows
    }

    /// Adds the rows of another.
    pub fn join(&mut self, other: Self) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.rows += other.rows;
    }

    /// Adds what a change brought.
    ///
    /// # Errors
    /// [`Error::Column`] for a type that the hash is not defined for.
    pub fn add(&mut self, delta: &Delta) -> Result<()> {
        for (row, hash) in hash_rows(&delta.batch)?.into_iter().enumerate() {
            let weight = delta.weight(row);
            self.sum = self.sum.wrapping_add(hash.wrapping_mul(weight as u64));
            self.rows += weight;
        }
        Ok(())
    }
}

fn hash_rows(batch: &RecordBatch) -> Result<Vec<u64>> {
    let mut hashes = vec![SEED; batch.num_rows()];
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let column = column.as_ref();
        match column.data_type() {
            DataType::Int32 => {
                let values = column.as_primitive::<Int32Type>().values();
                absorb_words(&mut hashes, column, |row| i64::from(values[row]) as u64);
            }
            DataType::Int64 => {
                let values = column.as_primitive::<Int64Type>().values();
                absorb_words(&mut hashes, column, |row| values[row] as u64);
            }
            DataType::UInt64 => {
                let values = column.as_primitive::<UInt64Type>().values();
                absorb_words(&mut hashes, column, |row| values[row]);
            }
            DataType::Date32 => {
                let values = column.as_primitive::<Date32Type>().values();
                absorb_words(&mut hashes, column, |row| i64::from(values[row]) as u64);
            }
            DataType::Timestamp(TimeUnit::Millisecond, None) => {
                let values = column.as_primitive::<TimestampMillisecondType>().values();
                absorb_words(&mut hashes, column, |row| values[row] as u64);
            }
            DataType::Float64 => {
                let values = column.as_primitive::<Float64Type>().values();
                absorb_words(&mut hashes, column, |row| values[row].to_bits());
            }
            DataType::Utf8 => {
                let values = column.as_string::<i32>();
                absorb_texts(&mut hashes, column, |row| values.value(row));
            }
            DataType::Utf8View => {
                let values = column.as_string_view();
                absorb_texts(&mut hashes, column, |row| values.value(row));
            }
            other => {
                let (column, data_type) = (field.name().clone(), other.clone());
                return Err(Error::Column { column, data_type });
            }
        }
    }
    Ok(hashes.into_iter().map(finish).collect())
}

fn absorb(hash: u64, word: u64) -> u64 {
    let hash = (hash ^ word).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 32)
}

fn finish(hash: u64) -> u64 {
    let hash = hash.wrapping_mul(FINISHER);
    hash ^ (hash >> 29)
}

fn absorb_text(hash: u64, text: &str) -> u64 {
    let mut hash = absorb(hash, text.len() as u64);
    let mut words = text.as_bytes().chunks_exact(8);
    for word in &mut words {
        hash = absorb(hash, u64::from_le_bytes(word.try_into().expect("chunks of eight")));
    }
    if words.remainder().is_empty() {
        return hash;
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    absorb(hash, u64::from_le_bytes(last))
}

fn absorb_words(hashes: &mut [u64], column: &dyn Array, word: impl Fn(usize) -> u64) {
    for (row, hash) in hashes.iter_mut().enumerate() {
        *hash = absorb(*hash, if column.is_null(row) { NULL } else { word(row) });
    }
}

fn absorb_texts<'a>(hashes: &mut [u64], column: &dyn Array, text: impl Fn(usize) -> &'a str) {
    for (row, hash) in hashes.iter_mut().enumerate() {
        *hash = match column.is_null(row) {
            true => absorb(*hash, NULL),
            false => absorb_text(*hash, text(row)),
        };
    }
}
