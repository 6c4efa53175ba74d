//! Finds rows by columns other than their key.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use hashbrown::HashTable;

use super::EntryId;
use crate::Result;
use crate::state::encoding::EncodedRows;
use crate::state::{NONE, RowEncoding, columns_at};

/// Entries by the hash of some columns of their rows.
#[derive(Debug)]
pub(super) struct RowIndex {
    columns: Vec<usize>,
    encoding: RowEncoding,
    hashes: Vec<u64>,
    table: HashTable<EntryId>,
}

impl RowIndex {
    /// An index over `columns` of rows of `schema`.
    pub fn new(schema: &Schema, columns: Vec<usize>) -> Result<Self> {
        let types = columns.iter().map(|column| schema.field(*column).data_type().clone());
        Ok(Self {
            encoding: RowEncoding::new(types.collect())?,
            columns,
            hashes: Vec::new(),
            table: HashTable::new(),
        })
    }

    /// The indexed columns of `batch`.
    pub fn encode(&self, batch: &RecordBatch) -> Result<EncodedRows> {
        self.encoding.encode(&columns_at(batch, &self.columns), batch.num_rows())
    }

    /// Adds the rows of `batch` that have an owner.
    pub fn add_all(&mut self, batch: &RecordBatch, owners: &[EntryId]) -> Result<()> {
        let encoded = self.encode(batch)?;
        for (hash, owner) in encoded.hashes.iter().zip(owners) {
            if *owner != NONE {
                self.add(*hash, *owner);
            }
        }
        Ok(())
    }

    /// Adds one row.
    pub fn add(&mut self, hash: u64, entry: EntryId) {
        let slot = entry as usize;
        if slot >= self.hashes.len() {
            self.hashes.resize(slot + 1, 0);
        }
        self.hashes[slot] = hash;
        let hashes = &self.hashes;
        self.table.insert_unique(hash, entry, |entry| hashes[*entry as usize]);
    }

    /// Forgets a row.
    pub fn remove(&mut self, entry: EntryId) {
        if let Ok(found) =
            self.table.find_entry(self.hashes[entry as usize], |other| *other == entry)
        {
            found.remove();
        }
    }

    /// An entry with that hash of which `is_it` holds, or [`NONE`].
    pub fn find(&self, hash: u64, is_it: impl Fn(EntryId) -> bool) -> EntryId {
        let is_it = |entry: &EntryId| self.hashes[*entry as usize] == hash && is_it(*entry);
        self.table.find(hash, is_it).copied().unwrap_or(NONE)
    }

    /// Bytes held.
    pub fn state_bytes(&self) -> usize {
        self.hashes.capacity() * size_of::<u64>() + self.table.allocation_size()
    }
}

/// The rows of a batch as an index sees them, encoded when first asked for.
#[derive(Debug)]
pub(crate) struct LazyRows<'a> {
    batch: &'a RecordBatch,
    encoded: Option<EncodedRows>,
}

impl<'a> LazyRows<'a> {
    pub fn new(batch: &'a RecordBatch) -> Self {
        Self { batch, encoded: None }
    }

    pub(super) fn hash(&mut self, index: &RowIndex, row: usize) -> Result<u64> {
        if self.encoded.is_none() {
            self.encoded = Some(index.encode(self.batch)?);
        }
        Ok(self.encoded.as_ref().expect("encoded above").hashes[row])
    }
}
