//! Keys with small dense ids, so that all else about a key lives in vectors.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::encoding::{EncodedRows, RowEncoding, hash_row};
use crate::Result;

/// The id no key has.
pub(crate) const NONE: u32 = u32::MAX;

/// Tables of fewer keys mostly lie in the processor's cache.
const LARGE: usize = 4096;

/// Where the bytes of a key are in the arena.
#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u64,
    start: usize,
    length: u32,
}

impl Slot {
    fn bytes(self, arena: &[u8]) -> &[u8] {
        &arena[self.start..self.start + self.length as usize]
    }
}

/// Encoded keys. Ids of removed keys are given out again.
#[derive(Debug)]
pub(crate) struct KeyTable {
    encoding: RowEncoding,
    table: HashTable<u32>,
    slots: Vec<Slot>,
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
            slots: Vec::with_capacity(keys),
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
        self.slots.len()
    }

    /// Encodes key columns of `rows` rows.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<EncodedRows> {
        self.encoding.encode(columns, rows)
    }

    /// The id of `key`, which is added when missing.
    #[inline]
    pub fn insert(&mut self, key: &[u8], hash: u64) -> u32 {
        let (slots, arena) = (&self.slots, &self.arena);
        let is_key = |id: &u32| {
            let slot = slots[*id as usize];
            slot.hash == hash && key == slot.bytes(arena)
        };
        match self.table.entry(hash, is_key, |id| slots[*id as usize].hash) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let slot = Slot { hash, start: self.arena.len(), length: key.len() as u32 };
                let id = self.free.pop().unwrap_or(self.slots.len() as u32);
                entry.insert(id);
                self.arena.extend_from_slice(key);
                if id as usize == self.slots.len() {
                    self.slots.push(slot);
                } else {
                    self.slots[id as usize] = slot;
                }
                id
            }
        }
    }

    /// Ids of the keys, added where missing.
    pub fn insert_all(&mut self, keys: &EncodedRows) -> Vec<u32> {
        let mut ids = self.find_all(keys);
        for (row, id) in ids.iter_mut().enumerate().filter(|(_, id)| **id == NONE) {
            *id = self.insert(keys.row(row), keys.hashes[row]);
        }
        ids
    }

    /// Ids of the keys, [`NONE`] where missing.
    ///
    /// The keys of a large table lie all over memory. So each step is made for all of them before the next:
    /// the waits of different keys then overlap.
    pub fn find_all(&self, keys: &EncodedRows) -> Vec<u32> {
        if self.table.len() < LARGE {
            return (0..keys.len()).map(|row| self.find(keys.row(row), keys.hashes[row])).collect();
        }
        let first = |hash: &u64| self.table.find(*hash, |_| true).copied().unwrap_or(NONE);
        let mut ids: Vec<u32> = keys.hashes.iter().map(first).collect();
        let slot = |id: &u32| self.slots.get(*id as usize).copied();
        let slots: Vec<Option<Slot>> = ids.iter().map(slot).collect();
        for (row, (id, slot)) in ids.iter_mut().zip(slots).enumerate() {
            let (key, hash) = (keys.row(row), keys.hashes[row]);
            let is_key = |slot: Slot| slot.hash == hash && key == slot.bytes(&self.arena);
            if slot.is_some_and(|slot| !is_key(slot)) {
                *id = self.find(key, hash);
            }
        }
        ids
    }

    /// The id of `key`, or [`NONE`].
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> u32 {
        let is_key = |id: &u32| {
            let slot = self.slots[*id as usize];
            slot.hash == hash && key == slot.bytes(&self.arena)
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
        let slot = &mut self.slots[id as usize];
        if let Ok(entry) = self.table.find_entry(slot.hash, |other| *other == id) {
            entry.remove();
            self.garbage += std::mem::take(&mut slot.length) as usize;
            self.free.push(id);
            if self.garbage > 4096 && self.garbage > self.arena.len() / 2 {
                self.collect_garbage();
            }
        }
    }

    /// The encoded key of an id.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.slots[id as usize].bytes(&self.arena)
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
            + self.slots.capacity() * size_of::<Slot>()
            + self.free.capacity() * size_of::<u32>()
            + self.table.allocation_size()
    }

    fn collect_garbage(&mut self) {
        let mut arena = Vec::with_capacity(self.arena.len() - self.garbage);
        for slot in &mut self.slots {
            let bytes = slot.bytes(&self.arena);
            slot.start = arena.len();
            arena.extend_from_slice(bytes);
        }
        self.arena = arena;
        self.garbage = 0;
    }
}
