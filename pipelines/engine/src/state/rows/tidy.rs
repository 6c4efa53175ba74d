//! Keeps the number of chunks small: it grows with the logarithm of the rows.

use super::RowStore;
use super::chunk::{Chunk, gather_places};
use crate::Result;
use crate::state::{NONE, new_batch};

/// As many trailing chunks of one size class are merged into one.
const MERGE_FAN_IN: usize = 8;
/// Chunks of a greater class are not merged any further: 8^5 rows and more.
const MERGED_CLASS_MAX: u32 = 4;

impl RowStore {
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
