//! Keeps the number of chunks small: it grows with the logarithm of the rows.

use super::RowStore;
use super::chunk::{Chunk, gather_places};
use crate::Result;
use crate::state::{NONE, new_batch};

/// As many trailing chunks of one size class, or up to twice as many, are merged into one.
const MERGE_FAN_IN: usize = 16;
/// Chunks of a greater class are not merged any further: 16^3 rows and more.
const MERGED_CLASS_MAX: u32 = 2;

impl RowStore {
    /// Merges small chunks and rewrites those that are mostly dead. Called once per epoch.
    pub fn tidy(&mut self) -> Result<()> {
        while self.chunks.last().is_some_and(|chunk| chunk.live == 0) {
            self.chunks.pop();
        }
        for class in 0..=MERGED_CLASS_MAX {
            let small = self.small_chunks(class);
            if small >= MERGE_FAN_IN + self.jitter() {
                self.rewrite(self.chunks.len() - small, self.chunks.len())?;
            }
        }
        // The small ones lose their dead rows when they are merged, which is soon.
        let large = self.chunks.len() - self.small_chunks(MERGED_CLASS_MAX);
        let mostly_dead = |chunk: &Chunk| chunk.live * 2 < chunk.owners.len();
        for index in 0..large {
            if mostly_dead(&self.chunks[index]) {
                self.rewrite(index, index + 1)?;
            }
        }
        Ok(())
    }

    /// How many chunks at the end are of a class or a smaller one.
    fn small_chunks(&self, class: u32) -> usize {
        self.chunks.iter().rev().take_while(|chunk| size_class(chunk.live) <= class).count()
    }

    /// Stores that get a chunk with every epoch would all merge in the same one: this spreads them.
    fn jitter(&self) -> usize {
        let mixed = (self.live as u64 ^ self.next_chunk << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % MERGE_FAN_IN
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
        let columns = gather_places(&self.chunks[from..to], places, self.schema.fields().len())?;
        let batch = new_batch(&self.schema, columns, owners.len())?;
        for (row, owner) in owners.iter().enumerate() {
            let entry = &mut self.rows[*owner as usize];
            (entry.chunk, entry.row) = (from as u32, row as u32);
        }
        self.chunks[from] = Chunk::new(self.next_chunk, batch, owners);
        self.next_chunk += 1;
        self.chunks.drain(from + 1..to);
        // Merging is done at the end only, so no chunk behind `to` has moved.
        debug_assert!(
            to - from == 1 || from + 1 == self.chunks.len(),
            "only trailing chunks are merged"
        );
        Ok(())
    }
}

/// Chunks within a factor of the fan-in of each other share a class.
fn size_class(rows: usize) -> u32 {
    rows.max(1).ilog(MERGE_FAN_IN)
}
