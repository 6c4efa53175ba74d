//! Keys with small dense ids, so that all else about a key lives in vectors.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::encoding::{EncodedRows, RowEncoding, hash_row};
use crate::Result;

/// The id no key has.
pub(crate) const NONE: u32 = u32::MAX;

/// Encoded keys. Ids of removed keys are given out again.
#[derive(Debug)]
pub(crate) struct KeyTable {
    encoding: RowEncoding,
    table: HashTable<u32>,
    hashes: Vec<u64>,
    /// Start and length of each key in `arena`.
    spans: Vec<(usize, u32)>,
    arena: Vec<u8>,
    /// Bytes of `arena` that belong to removed keys.
    garbage: usize,
    free: Vec<u32>,
}

impl KeyTable {
    /// Keys made of columns of `types`; without any there is one key, the empty one.
    pub fn new(types: Vec<DataType>) -> Result<Self> {
        Self::with_capacity(types, 0)
    }

    /// The same, with room for `keys` of them.
    pub fn with_capacity(types: Vec<DataType>, keys: usize) -> Result<Self> {
        Ok(Self {
            encoding: RowEncoding::new(types)?,
            table: HashTable::with_capacity(keys),
            hashes: Vec::with_capacity(keys),
            spans: Vec::with_capacity(keys),
            arena: Vec::new(),
            garbage: 0,
            free: Vec::new(),
        })
    }

    /// Keys present.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// One more than the greatest id given out.
    pub fn slots(&self) -> usize {
        self.spans.len()
    }

    /// Encodes key columns of `rows` rows.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<EncodedRows> {
        self.encoding.encode(columns, rows)
    }

    /// The id of `key`, which is added when missing.
    #[inline]
    pub fn insert(&mut self, key: &[u8], hash: u64) -> u32 {
        let (spans, arena, hashes) = (&self.spans, &self.arena, &self.hashes);
        let is_key = |id: &u32| hashes[*id as usize] == hash && key == bytes_of(spans, arena, *id);
        match self.table.entry(hash, is_key, |id| hashes[*id as usize]) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let span = (self.arena.len(), key.len() as u32);
                let id = self.free.pop().unwrap_or(self.spans.len() as u32);
                entry.insert(id);
                self.arena.extend_from_slice(key);
                if id as usize == self.spans.len() {
                    self.spans.push(span);
                    self.hashes.push(hash);
                } else {
                    self.spans[id as usize] = span;
                    self.hashes[id as usize] = hash;
                }
                id
            }
        }
    }

    /// Ids of the keys, added where missing.
    pub fn insert_all(&mut self, keys: &EncodedRows) -> Vec<u32> {
        (0..keys.len()).map(|row| self.insert(keys.row(row), keys.hashes[row])).collect()
    }

    /// The id of `key`, or [`NONE`].
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> u32 {
        let is_key = |id: &u32| {
            self.hashes[*id as usize] == hash && key == bytes_of(&self.spans, &self.arena, *id)
        };
        self.table.find(hash, is_key).copied().unwrap_or(NONE)
    }

    /// Adds a key read back from a checkpoint.
    pub fn insert_bytes(&mut self, key: &[u8]) -> u32 {
        self.insert(key, hash_row(key))
    }

    /// The id of a key read back from a checkpoint, or [`NONE`].
    pub fn find_bytes(&self, key: &[u8]) -> u32 {
        self.find(key, hash_row(key))
    }

    /// Forgets a key; its id may be given out again.
    pub fn remove(&mut self, id: u32) {
        if let Ok(entry) = self.table.find_entry(self.hashes[id as usize], |other| *other == id) {
            entry.remove();
            self.garbage += self.spans[id as usize].1 as usize;
            self.spans[id as usize].1 = 0;
            self.free.push(id);
            if self.garbage > 4096 && self.garbage > self.arena.len() / 2 {
                self.collect_garbage();
            }
        }
    }

    /// The encoded key of an id.
    pub fn bytes(&self, id: u32) -> &[u8] {
        bytes_of(&self.spans, &self.arena, id)
    }

    /// The key columns of encoded keys.
    pub fn decode(&self, keys: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        self.encoding.decode(keys)
    }

    /// The key columns of `ids`.
    pub fn columns(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let rows: Vec<&[u8]> = ids.iter().map(|id| self.bytes(*id)).collect();
        self.encoding.decode(&rows)
    }

    /// Ids present, in rising order.
    pub fn ids(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.table.iter().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Bytes held.
    pub fn state_bytes(&self) -> usize {
        self.arena.capacity()
            + self.spans.capacity() * size_of::<(usize, u32)>()
            + self.hashes.capacity() * size_of::<u64>()
            + self.free.capacity() * size_of::<u32>()
            + self.table.allocation_size()
    }

    fn collect_garbage(&mut self) {
        let mut arena = Vec::with_capacity(self.arena.len() - self.garbage);
        for (start, length) in &mut self.spans {
            let bytes = &self.arena[*start..*start + *length as usize];
            *start = arena.len();
            arena.extend_from_slice(bytes);
        }
        self.arena = arena;
        self.garbage = 0;
    }
}

fn bytes_of<'a>(spans: &[(usize, u32)], arena: &'a [u8], id: u32) -> &'a [u8] {
    let (start, length) = spans[id as usize];
    &arena[start..start + length as usize]
}
