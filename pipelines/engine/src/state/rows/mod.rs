//! Rows behind keys: what a keyed relation, a side of a join and a snapshot keep.
//!
//! Rows stay in the batches they came in ([`Chunk`]); a row that goes is marked dead. Small chunks are merged
//! as they pile up and chunks that are mostly dead are rewritten. An entry per row ties it to its key and
//! links the rows of one key.

mod chunk;
mod exchange;
mod index;
mod tidy;

pub(crate) use chunk::{SavedChunk, SavedRows};
pub(crate) use index::LazyRows;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};

use self::chunk::{Chunk, gather_places};
use self::index::RowIndex;
use super::encoding::EncodedRows;
use super::{KeyTable, NONE, new_batch, take_rows};
use crate::Result;
use crate::snapshot::SnapshotChunk;

/// Names a row as long as it is there; given out again afterwards.
pub(crate) type EntryId = u32;

#[derive(Debug, Clone, Copy)]
struct Row {
    chunk: u32,
    row: u32,
    key: u32,
    previous: EntryId,
    next: EntryId,
}

/// What tells the rows of one key apart.
#[derive(Debug)]
enum Identity {
    /// Nothing but all their columns, in which they may be equal too. The index is made when first needed.
    Row(Option<RowIndex>),
    /// A key has one row at most.
    Key,
    /// These columns have one row at most.
    Columns(RowIndex),
}

/// Rows, each behind a key. Rows of one key form a list.
#[derive(Debug)]
pub(crate) struct RowStore {
    schema: SchemaRef,
    chunks: Vec<Chunk>,
    next_chunk: u64,
    rows: Vec<Row>,
    free: Vec<EntryId>,
    keys: KeyTable,
    heads: Vec<EntryId>,
    identity: Identity,
    /// Whether rows are behind keys; without, only their entries lead to them.
    has_keys: bool,
    live: usize,
}

impl Identity {
    fn index(&mut self) -> Option<&mut RowIndex> {
        match self {
            Self::Row(Some(index)) | Self::Columns(index) => Some(index),
            Self::Row(None) | Self::Key => None,
        }
    }
}

impl RowStore {
    /// Rows of `schema` behind keys of `key_types`.
    pub fn new(schema: SchemaRef, key_types: Vec<DataType>) -> Result<Self> {
        Ok(Self {
            schema,
            chunks: Vec::new(),
            next_chunk: 0,
            rows: Vec::new(),
            free: Vec::new(),
            keys: KeyTable::new(key_types)?,
            heads: Vec::new(),
            identity: Identity::Row(None),
            has_keys: true,
            live: 0,
        })
    }

    /// Rows of `schema` that are found by their entries alone.
    pub fn without_keys(schema: SchemaRef) -> Result<Self> {
        Ok(Self { has_keys: false, ..Self::new(schema, Vec::new())? })
    }

    /// The same store for rows whose keys are unique.
    pub fn unique_by_key(mut self) -> Self {
        self.identity = Identity::Key;
        self
    }

    /// The same store for rows that `columns` identify, which the keys alone do not.
    pub fn unique_by(mut self, columns: Vec<usize>) -> Result<Self> {
        self.identity = Identity::Columns(RowIndex::new(&self.schema, columns)?);
        Ok(self)
    }

    /// Rows present.
    pub fn len(&self) -> usize {
        self.live
    }

    /// One more than the greatest entry given out.
    pub fn slots(&self) -> usize {
        self.rows.len()
    }

    /// Encodes key columns of `rows` rows.
    pub fn encode_keys(&self, columns: &[ArrayRef], rows: usize) -> Result<EncodedRows> {
        self.keys.encode(columns, rows)
    }

    /// The first row of a key, or [`NONE`].
    #[inline]
    pub fn first(&self, key: &[u8], hash: u64) -> EntryId {
        match self.keys.find(key, hash) {
            NONE => NONE,
            id => self.heads[id as usize],
        }
    }

    /// The first row of each key, or [`NONE`].
    pub fn first_of_all(&self, keys: &EncodedRows) -> Vec<EntryId> {
        let mut ids = self.keys.find_all(keys);
        for id in ids.iter_mut().filter(|id| **id != NONE) {
            *id = self.heads[*id as usize];
        }
        ids
    }

    /// The next row of the same key, or [`NONE`].
    #[inline]
    pub fn next(&self, entry: EntryId) -> EntryId {
        self.rows[entry as usize].next
    }

    /// Whether no other row shares the entry's key.
    pub fn is_alone(&self, entry: EntryId) -> bool {
        let row = &self.rows[entry as usize];
        row.previous == NONE && row.next == NONE
    }

    /// Adds the rows of `batch` that `keep` names, as often as it does, and gives their entries in that order.
    ///
    /// `keys` are the encoded keys of all rows of `batch`; of a store without keys they are not looked at.
    pub fn insert(
        &mut self,
        batch: &RecordBatch,
        keys: &EncodedRows,
        keep: &[u32],
    ) -> Result<Vec<EntryId>> {
        if keep.is_empty() {
            return Ok(Vec::new());
        }
        let keeps_all = keep.len() == batch.num_rows()
            && keep.iter().enumerate().all(|(at, row)| at == *row as usize);
        let batch = if keeps_all { batch.clone() } else { take_rows(batch, keep.to_vec())? };
        let chunk = self.chunks.len() as u32;
        let ids = match (self.has_keys, keeps_all) {
            (false, _) => vec![NONE; keep.len()],
            (true, true) => self.keys.insert_all(keys),
            (true, false) => {
                let key = |row: usize| (keys.row(row), keys.hashes[row]);
                let insert = |(key, hash)| self.keys.insert(key, hash);
                keep.iter().map(|row| key(*row as usize)).map(insert).collect()
            }
        };
        let row = |(row, key)| Row { chunk, row: row as u32, key, previous: NONE, next: NONE };
        let owners: Vec<EntryId> =
            ids.into_iter().enumerate().map(row).map(|row| self.link(row)).collect();
        if let Some(index) = self.identity.index() {
            index.add_all(&batch, &owners)?;
        }
        self.push_chunk(batch, owners.clone());
        Ok(owners)
    }

    fn push_chunk(&mut self, batch: RecordBatch, owners: Vec<EntryId>) {
        self.live += owners.len();
        self.chunks.push(Chunk::new(self.next_chunk, batch, owners));
        self.next_chunk += 1;
    }

    fn link(&mut self, mut row: Row) -> EntryId {
        let key = row.key as usize;
        if self.has_keys {
            if key >= self.heads.len() {
                self.heads.resize(key + 1, NONE);
            }
            row.next = self.heads[key];
        }
        let head = row.next;
        let entry = match self.free.pop() {
            Some(entry) => {
                self.rows[entry as usize] = row;
                entry
            }
            None => {
                self.rows.push(row);
                (self.rows.len() - 1) as EntryId
            }
        };
        if head != NONE {
            self.rows[head as usize].previous = entry;
        }
        if self.has_keys {
            self.heads[key] = entry;
        }
        entry
    }

    /// Takes a row out. Its entry may be given out again by the next insert.
    pub fn remove(&mut self, entry: EntryId) {
        let Row { chunk, row, .. } = self.rows[entry as usize];
        if let Some(index) = self.identity.index() {
            index.remove(entry);
        }
        self.unlink(entry);
        self.chunks[chunk as usize].bury(row as usize);
        self.live -= 1;
    }

    /// Takes an entry out of its key's list, and the key when it was the last.
    fn unlink(&mut self, entry: EntryId) {
        self.free.push(entry);
        if !self.has_keys {
            return;
        }
        let Row { key, previous, next, .. } = self.rows[entry as usize];
        match previous {
            NONE => self.heads[key as usize] = next,
            previous => self.rows[previous as usize].next = next,
        }
        if next != NONE {
            self.rows[next as usize].previous = previous;
        }
        if self.heads[key as usize] == NONE {
            self.keys.remove(key);
        }
    }

    /// Puts the rows of `batch` in the places of `entries`, which keep their keys.
    pub fn replace(&mut self, entries: Vec<EntryId>, batch: RecordBatch) {
        let to = self.chunks.len() as u32;
        for (at, entry) in entries.iter().enumerate() {
            let Row { chunk, row, .. } = self.rows[*entry as usize];
            self.chunks[chunk as usize].bury(row as usize);
            let slot = &mut self.rows[*entry as usize];
            (slot.chunk, slot.row) = (to, at as u32);
        }
        self.live -= entries.len();
        self.push_chunk(batch, entries);
    }

    /// The entry of a row equal to row `row` of `batch`, or [`NONE`]. A key's only row is taken to be it.
    pub fn find_row(
        &mut self,
        keys: &EncodedRows,
        rows: &mut LazyRows<'_>,
        row: usize,
    ) -> Result<EntryId> {
        let first = self.first(keys.row(row), keys.hashes[row]);
        if first == NONE || self.is_alone(first) {
            return Ok(first);
        }
        if let Identity::Row(index @ None) = &mut self.identity {
            let every = (0..self.schema.fields().len()).collect();
            let mut made = RowIndex::new(&self.schema, every)?;
            for chunk in &self.chunks {
                made.add_all(&chunk.batch, &chunk.owners)?;
            }
            *index = Some(made);
        }
        let Some(index) = self.identity.index() else { return Ok(first) };
        let hash = rows.hash(index, row)?;
        let key = self.rows[first as usize].key;
        Ok(index.find(hash, |entry| self.rows[entry as usize].key == key))
    }

    /// The columns of `entries`.
    pub fn gather(&self, entries: &[EntryId]) -> Result<Vec<ArrayRef>> {
        let places: Vec<(usize, usize)> = entries
            .iter()
            .map(|entry| {
                let row = &self.rows[*entry as usize];
                (row.chunk as usize, row.row as usize)
            })
            .collect();
        if self.chunks.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)).columns().to_vec());
        }
        gather_places(&self.chunks, places, self.schema.fields().len())
    }

    /// All rows, as one batch per chunk with its live rows' entries.
    pub fn contents(&self) -> Result<Vec<(RecordBatch, Vec<EntryId>)>> {
        let live_chunks = self.chunks.iter().filter(|chunk| chunk.live > 0);
        live_chunks
            .map(|chunk| {
                let entries: Vec<EntryId> =
                    chunk.owners.iter().copied().filter(|owner| *owner != NONE).collect();
                if chunk.dead.is_none() {
                    return Ok((chunk.batch.clone(), entries));
                }
                let batch = new_batch(&self.schema, self.gather(&entries)?, entries.len())?;
                Ok((batch, entries))
            })
            .collect()
    }

    /// The rows as shared chunks.
    pub fn snapshot(&self) -> Vec<SnapshotChunk> {
        let live_chunks = self.chunks.iter().filter(|chunk| chunk.live > 0);
        let share = |chunk: &Chunk| SnapshotChunk {
            batch: chunk.batch.clone(),
            dead: chunk.dead.clone(),
            live_rows: chunk.live,
        };
        live_chunks.map(share).collect()
    }

    /// What a checkpoint has to hold.
    pub fn saved(&self) -> Vec<SavedChunk> {
        let live_chunks = self.chunks.iter().filter(|chunk| chunk.live > 0);
        let save = |chunk: &Chunk| SavedChunk {
            id: chunk.id,
            batch: chunk.batch.clone(),
            dead: chunk.dead.clone(),
        };
        live_chunks.map(save).collect()
    }

    /// Takes the chunks of a checkpoint; `keys` evaluates the key columns of a batch.
    pub fn load(
        &mut self,
        saved: SavedRows<'_>,
        keys: impl Fn(&RecordBatch) -> Result<Vec<ArrayRef>>,
    ) -> Result<()> {
        for chunk in saved.chunks {
            let rows = chunk.batch.num_rows();
            let columns = keys(&chunk.batch)?;
            let encoded = match self.has_keys {
                true => self.keys.encode(&columns, rows)?,
                false => EncodedRows::default(),
            };
            if let Some(share) = saved.share {
                let mine = share.mine(saved.input, &columns, &chunk.batch)?;
                let is_dead = |row: usize| {
                    chunk.dead.as_ref().is_some_and(|dead| dead[row / 64] >> (row % 64) & 1 == 1)
                };
                let kept = (0..rows).filter(|row| mine[*row] && !is_dead(*row));
                let kept: Vec<u32> = kept.map(|row| row as u32).collect();
                self.insert(&chunk.batch, &encoded, &kept)?;
                continue;
            }
            let all: Vec<u32> = (0..rows as u32).collect();
            let entries = self.insert(&chunk.batch, &encoded, &all)?;
            self.chunks.last_mut().expect("inserted above").id = chunk.id;
            self.next_chunk = self.next_chunk.max(chunk.id + 1);
            let Some(dead) = chunk.dead else { continue };
            for (row, entry) in entries.into_iter().enumerate() {
                if dead[row / 64] >> (row % 64) & 1 == 1 {
                    self.remove(entry);
                }
            }
        }
        Ok(())
    }

    /// Bytes held. Batches shared with others count here too.
    pub fn state_bytes(&self) -> usize {
        let index = match &self.identity {
            Identity::Row(Some(index)) | Identity::Columns(index) => index.state_bytes(),
            Identity::Row(None) | Identity::Key => 0,
        };
        self.chunks.iter().map(Chunk::bytes).sum::<usize>()
            + self.rows.capacity() * size_of::<Row>()
            + (self.free.capacity() + self.heads.capacity()) * size_of::<EntryId>()
            + self.keys.state_bytes()
            + index
    }
}
