//! Rows behind keys: what a keyed relation, a side of a join and a snapshot keep.
//!
//! Rows stay in the batches they came in ([`Chunk`]); a row that goes is marked dead. Small chunks are merged
//! as they pile up and chunks that are mostly dead are rewritten, so that the number of chunks grows with
//! the logarithm of the rows. An entry per row ties it to its key and links the rows of one key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, SchemaRef};
use hashbrown::HashTable;

use super::encoding::EncodedRows;
use super::{KeyTable, NONE, RowEncoding, new_batch, take_rows};
use crate::Result;
use crate::snapshot::SnapshotChunk;

/// Names a row as long as it is there; given out again afterwards.
pub(crate) type EntryId = u32;

/// As many trailing chunks of one size class are merged into one.
const MERGE_FAN_IN: usize = 8;
/// Chunks of a greater class are not merged any further: 8^5 rows and more.
const MERGED_CLASS_MAX: u32 = 4;

#[derive(Debug, Clone, Copy)]
struct Row {
    chunk: u32,
    row: u32,
    key: u32,
    previous: EntryId,
    next: EntryId,
}

#[derive(Debug)]
struct Chunk {
    /// Never used for other contents: what a checkpoint has saved under it stays right.
    id: u64,
    batch: RecordBatch,
    /// The entry of each row, [`NONE`] when the row has gone.
    owners: Vec<EntryId>,
    /// A set bit per row that has gone; shared with snapshots until it changes.
    dead: Option<Arc<Vec<u64>>>,
    live: usize,
}

impl Chunk {
    fn bury(&mut self, row: usize) {
        let words = self.owners.len().div_ceil(64);
        let dead = Arc::make_mut(self.dead.get_or_insert_with(|| Arc::new(vec![0; words])));
        dead[row / 64] |= 1 << (row % 64);
        self.owners[row] = NONE;
        self.live -= 1;
    }
}

/// A chunk as a checkpoint sees it.
#[derive(Debug, Clone)]
pub(crate) struct SavedChunk {
    pub id: u64,
    pub batch: RecordBatch,
    pub dead: Option<Arc<Vec<u64>>>,
}

/// Finds one of several equal keys' rows by the whole row. Made when first needed.
#[derive(Debug)]
struct ByRow {
    encoding: RowEncoding,
    hashes: Vec<u64>,
    table: HashTable<EntryId>,
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
    by_row: Option<ByRow>,
    live: usize,
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
            by_row: None,
            live: 0,
        })
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
    /// `keys` are the encoded keys of all rows of `batch`.
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
        let mut owners = Vec::with_capacity(keep.len());
        for (row, source) in keep.iter().enumerate() {
            let source = *source as usize;
            let key = self.keys.insert(keys.row(source), keys.hashes[source]);
            owners.push(self.link(Row { chunk, row: row as u32, key, previous: NONE, next: NONE }));
        }
        if let Some(by_row) = &mut self.by_row {
            by_row.add(&batch, &owners)?;
        }
        self.push_chunk(batch, owners.clone());
        Ok(owners)
    }

    fn push_chunk(&mut self, batch: RecordBatch, owners: Vec<EntryId>) {
        let live = owners.len();
        self.live += live;
        self.chunks.push(Chunk { id: self.next_chunk, batch, owners, dead: None, live });
        self.next_chunk += 1;
    }

    fn link(&mut self, mut row: Row) -> EntryId {
        let key = row.key as usize;
        if key >= self.heads.len() {
            self.heads.resize(key + 1, NONE);
        }
        let head = self.heads[key];
        row.next = head;
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
        self.heads[key] = entry;
        entry
    }

    /// Takes a row out. Its entry may be given out again by the next insert.
    pub fn remove(&mut self, entry: EntryId) {
        let Row { chunk, row, .. } = self.rows[entry as usize];
        if let Some(by_row) = &mut self.by_row {
            by_row.remove(entry);
        }
        self.unlink(entry);
        self.chunks[chunk as usize].bury(row as usize);
        self.live -= 1;
    }

    /// Takes an entry out of its key's list, and the key when it was the last.
    fn unlink(&mut self, entry: EntryId) {
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
        self.free.push(entry);
    }

    /// Rows whose keys are unique: takes out the rows of `batch` with negative weight, by key, and adds the
    /// others. A row that comes for one that goes takes over its key and entry.
    ///
    /// Gives the first row that would not fit: one to take out that is not there, or a second of its key.
    pub fn exchange(
        &mut self,
        batch: &RecordBatch,
        keys: &EncodedRows,
        weight: impl Fn(usize) -> i64,
    ) -> Result<Option<usize>> {
        let rows = batch.num_rows();
        let mut vacated: Vec<(EntryId, usize)> = Vec::new();
        for row in (0..rows).filter(|row| weight(*row) < 0) {
            let entry = self.first(keys.row(row), keys.hashes[row]);
            if entry == NONE || self.rows[entry as usize].chunk == NONE {
                return Ok(Some(row));
            }
            let Row { chunk, row: place, .. } = self.rows[entry as usize];
            self.chunks[chunk as usize].bury(place as usize);
            self.live -= 1;
            let slot = &mut self.rows[entry as usize];
            (slot.chunk, slot.row) = (NONE, vacated.len() as u32);
            vacated.push((entry, row));
        }
        let coming: Vec<u32> = (0..rows as u32).filter(|row| weight(*row as usize) > 0).collect();
        let chunk = self.chunks.len() as u32;
        let mut owners = Vec::with_capacity(coming.len());
        let mut next_vacated = 0;
        for (place, row) in coming.iter().enumerate() {
            let row = *row as usize;
            if weight(row) > 1 {
                return Ok(Some(row));
            }
            // Rows mostly come in the order in which those before them went.
            let expected = vacated.get(next_vacated).filter(|(entry, going)| {
                self.rows[*entry as usize].chunk == NONE && keys.row(*going) == keys.row(row)
            });
            let entry = match expected {
                Some((entry, _)) => *entry,
                None => self.first(keys.row(row), keys.hashes[row]),
            };
            if entry == NONE {
                let key = self.keys.insert(keys.row(row), keys.hashes[row]);
                owners.push(self.link(Row {
                    chunk,
                    row: place as u32,
                    key,
                    previous: NONE,
                    next: NONE,
                }));
                continue;
            }
            let slot = &mut self.rows[entry as usize];
            if slot.chunk != NONE {
                return Ok(Some(row));
            }
            next_vacated = slot.row as usize + 1;
            (slot.chunk, slot.row) = (chunk, place as u32);
            owners.push(entry);
        }
        for (entry, _) in vacated {
            if self.rows[entry as usize].chunk == NONE {
                self.unlink(entry);
            }
        }
        if !coming.is_empty() {
            let batch =
                if coming.len() == rows { batch.clone() } else { take_rows(batch, coming)? };
            self.push_chunk(batch, owners);
        }
        Ok(None)
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
        if self.by_row.is_none() {
            let types =
                self.schema.fields().iter().map(|field| field.data_type().clone()).collect();
            let mut by_row = ByRow {
                encoding: RowEncoding::new(types)?,
                hashes: Vec::new(),
                table: HashTable::new(),
            };
            for chunk in &self.chunks {
                by_row.add(&chunk.batch, &chunk.owners)?;
            }
            self.by_row = Some(by_row);
        }
        let by_row = self.by_row.as_ref().expect("made above");
        let hash = rows.hashes(&by_row.encoding)?[row];
        let key = self.rows[first as usize].key;
        let is_row = |entry: &EntryId| {
            by_row.hashes[*entry as usize] == hash && self.rows[*entry as usize].key == key
        };
        Ok(by_row.table.find(hash, is_row).copied().unwrap_or(NONE))
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
        gather_places(&self.chunks, &places, self.schema.fields().len())
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

    /// Merges small chunks and rewrites those that are mostly dead. Called once per epoch.
    pub fn tidy(&mut self) -> Result<()> {
        while self.chunks.last().is_some_and(|chunk| chunk.live == 0) {
            self.chunks.pop();
        }
        for class in 0..=MERGED_CLASS_MAX {
            let small = self
                .chunks
                .iter()
                .rev()
                .take_while(|chunk| size_class(chunk.live) <= class)
                .count();
            if small >= MERGE_FAN_IN {
                self.rewrite(self.chunks.len() - small, self.chunks.len())?;
            }
        }
        let mostly_dead = |chunk: &Chunk| chunk.live * 2 < chunk.owners.len();
        for index in 0..self.chunks.len() {
            if mostly_dead(&self.chunks[index]) {
                self.rewrite(index, index + 1)?;
            }
        }
        Ok(())
    }

    /// Replaces chunks `from..to` by one with their live rows.
    fn rewrite(&mut self, from: usize, to: usize) -> Result<()> {
        let mut places = Vec::new();
        let mut owners = Vec::new();
        for (chunk, source) in self.chunks[from..to].iter().enumerate() {
            for (row, owner) in
                source.owners.iter().enumerate().filter(|(_, owner)| **owner != NONE)
            {
                places.push((chunk, row));
                owners.push(*owner);
            }
        }
        let columns = gather_places(&self.chunks[from..to], &places, self.schema.fields().len())?;
        let batch = new_batch(&self.schema, columns, places.len())?;
        for (row, owner) in owners.iter().enumerate() {
            let entry = &mut self.rows[*owner as usize];
            (entry.chunk, entry.row) = (from as u32, row as u32);
        }
        let live = owners.len();
        self.chunks[from] = Chunk { id: self.next_chunk, batch, owners, dead: None, live };
        self.next_chunk += 1;
        self.chunks.drain(from + 1..to);
        // Merging is done at the end only, so no chunk behind `to` has moved.
        debug_assert!(
            to - from == 1 || from + 1 == self.chunks.len(),
            "only trailing chunks are merged"
        );
        Ok(())
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

    /// Takes the chunks of a checkpoint into an empty store; `keys` evaluates the key columns of a batch.
    pub fn load(
        &mut self,
        saved: Vec<SavedChunk>,
        keys: impl Fn(&RecordBatch) -> Result<Vec<ArrayRef>>,
    ) -> Result<()> {
        for chunk in saved {
            let rows = chunk.batch.num_rows();
            let encoded = self.keys.encode(&keys(&chunk.batch)?, rows)?;
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
        let chunk_bytes = |chunk: &Chunk| {
            let dead = chunk.dead.as_ref().map_or(0, |dead| dead.len() * 8);
            chunk.batch.get_array_memory_size()
                + chunk.owners.capacity() * size_of::<EntryId>()
                + dead
        };
        let by_row = self.by_row.as_ref().map_or(0, |by_row| {
            by_row.hashes.capacity() * size_of::<u64>() + by_row.table.allocation_size()
        });
        self.chunks.iter().map(chunk_bytes).sum::<usize>()
            + self.rows.capacity() * size_of::<Row>()
            + (self.free.capacity() + self.heads.capacity()) * size_of::<EntryId>()
            + self.keys.state_bytes()
            + by_row
    }
}

/// Chunks within a factor of the fan-in of each other share a class.
fn size_class(rows: usize) -> u32 {
    rows.max(1).ilog(MERGE_FAN_IN)
}

fn gather_places(
    chunks: &[Chunk],
    places: &[(usize, usize)],
    columns: usize,
) -> Result<Vec<ArrayRef>> {
    (0..columns)
        .map(|column| {
            let sources: Vec<&dyn Array> =
                chunks.iter().map(|chunk| chunk.batch.column(column).as_ref()).collect();
            Ok(interleave(&sources, places)?)
        })
        .collect()
}

impl ByRow {
    fn add(&mut self, batch: &RecordBatch, owners: &[EntryId]) -> Result<()> {
        let encoded = self.encoding.encode(batch.columns(), batch.num_rows())?;
        for (row, owner) in owners.iter().enumerate().filter(|(_, owner)| **owner != NONE) {
            let slot = *owner as usize;
            if slot >= self.hashes.len() {
                self.hashes.resize(slot + 1, 0);
            }
            self.hashes[slot] = encoded.hashes[row];
            let hashes = &self.hashes;
            self.table.insert_unique(encoded.hashes[row], *owner, |entry| hashes[*entry as usize]);
        }
        Ok(())
    }

    fn remove(&mut self, entry: EntryId) {
        if let Ok(found) =
            self.table.find_entry(self.hashes[entry as usize], |other| *other == entry)
        {
            found.remove();
        }
    }
}

/// Hashes of whole rows, computed when first asked for.
#[derive(Debug)]
pub(crate) struct LazyRows<'a> {
    batch: &'a RecordBatch,
    encoded: Option<EncodedRows>,
}

impl<'a> LazyRows<'a> {
    pub fn new(batch: &'a RecordBatch) -> Self {
        Self { batch, encoded: None }
    }

    fn hashes(&mut self, encoding: &RowEncoding) -> Result<&[u64]> {
        if self.encoded.is_none() {
            self.encoded = Some(encoding.encode(self.batch.columns(), self.batch.num_rows())?);
        }
        Ok(&self.encoded.as_ref().expect("encoded above").hashes)
    }
}
