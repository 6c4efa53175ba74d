//! Rows as they lie in memory: the batches they came in, with those that have gone marked dead.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::interleave;

use super::EntryId;
use crate::Result;
use crate::graph::Share;
use crate::state::NONE;

#[derive(Debug)]
pub(super) struct Chunk {
    /// Never used for other contents: what a checkpoint has saved under it stays right.
    pub id: u64,
    pub batch: RecordBatch,
    /// The entry of each row, [`NONE`] when the row has gone.
    pub owners: Vec<EntryId>,
    /// A set bit per row that has gone; shared with snapshots until it changes.
    pub dead: Option<Arc<Vec<u64>>>,
    pub live: usize,
    /// Bytes of the batch, once they have been asked for.
    batch_bytes: OnceCell<usize>,
}

/// Columns of fewer bytes are not looked at more closely.
const SMALL_COLUMN_BYTES: usize = 16 * 1024;

impl Chunk {
    /// All rows of `batch`, alive.
    pub fn new(id: u64, batch: RecordBatch, owners: Vec<EntryId>) -> Self {
        let live = owners.len();
        Self { id, batch, owners, dead: None, live, batch_bytes: OnceCell::new() }
    }

    /// Bytes held. A batch shared with others counts here too.
    pub fn bytes(&self) -> usize {
        let dead = self.dead.as_ref().map_or(0, |dead| dead.len() * size_of::<u64>());
        let batch =
            self.batch_bytes.get_or_init(|| self.batch.columns().iter().map(column_bytes).sum());
        batch + self.owners.capacity() * size_of::<EntryId>() + dead
    }

    pub fn bury(&mut self, row: usize) {
        let words = self.owners.len().div_ceil(64);
        let dead = Arc::make_mut(self.dead.get_or_insert_with(|| Arc::new(vec![0; words])));
        dead[row / 64] |= 1 << (row % 64);
        self.owners[row] = NONE;
        self.live -= 1;
    }
}

/// Bytes of a column alone: columns read from a checkpoint share one buffer, which each would count whole.
fn column_bytes(column: &ArrayRef) -> usize {
    match column.get_array_memory_size() {
        small if small < SMALL_COLUMN_BYTES => small,
        whole => column.to_data().get_slice_memory_size().unwrap_or(whole),
    }
}

/// A chunk as a checkpoint sees it.
#[derive(Debug, Clone)]
pub(crate) struct SavedChunk {
    pub id: u64,
    pub batch: RecordBatch,
    pub dead: Option<Arc<Vec<u64>>>,
}

/// Rows as they come back from a checkpoint, with the part of them that is to be taken.
#[derive(Debug)]
pub(crate) struct SavedRows<'a> {
    pub chunks: Vec<SavedChunk>,
    /// The input of the operator that they came from.
    pub input: usize,
    pub share: Option<&'a Share>,
}

/// The columns of the rows at `places`: chunk and row in it.
pub(super) fn gather_places(
    chunks: &[Chunk],
    mut places: Vec<(usize, usize)>,
    columns: usize,
) -> Result<Vec<ArrayRef>> {
    let mut sources: Vec<&Chunk> = chunks.iter().collect();
    if !places.is_empty() && places.len() < chunks.len() {
        // Few rows of many chunks: only those chunks are looked at.
        let mut named: Vec<usize> = places.iter().map(|(chunk, _)| *chunk).collect();
        named.sort_unstable();
        named.dedup();
        for (chunk, _) in &mut places {
            *chunk = named.partition_point(|other| other < chunk);
        }
        sources = named.into_iter().map(|chunk| &chunks[chunk]).collect();
    }
    (0..columns)
        .map(|column| {
            let sources: Vec<&dyn Array> =
                sources.iter().map(|chunk| chunk.batch.column(column).as_ref()).collect();
            Ok(interleave(&sources, &places)?)
        })
        .collect()
}
