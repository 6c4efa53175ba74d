//! Segment files: the bytes of many pieces, one after the other.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::{Manifest, Piece};
use crate::{CheckpointStore, Error, Result};

const PREFIX: &str = "segment-";
/// A segment is written out once it is this long.
const SEGMENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Collects the pieces of one checkpoint.
pub(crate) struct SegmentWriter<'a> {
    store: &'a mut dyn CheckpointStore,
    epoch: u64,
    part: u32,
    bytes: Vec<u8>,
    /// Bytes of each segment written.
    written: BTreeMap<String, u64>,
}

impl<'a> SegmentWriter<'a> {
    pub fn new(store: &'a mut dyn CheckpointStore, epoch: u64) -> Self {
        Self { store, epoch, part: 0, bytes: Vec::new(), written: BTreeMap::new() }
    }

    fn name(&self) -> String {
        format!("{PREFIX}{:020}-{}", self.epoch, self.part)
    }

    /// Adds a piece.
    pub fn put(&mut self, name: String, bytes: &[u8], rows: u64) -> Result<Piece> {
        if !self.bytes.is_empty() && self.bytes.len() + bytes.len() > SEGMENT_BYTES_MAX {
            self.flush()?;
        }
        let piece = Piece {
            name,
            segment: self.name(),
            offset: self.bytes.len() as u64,
            length: bytes.len() as u64,
            crc32: crc32fast::hash(bytes),
            rows,
        };
        self.bytes.extend_from_slice(bytes);
        Ok(piece)
    }

    /// Copies a piece here from the segment it is in.
    pub fn copy(&mut self, piece: &Piece) -> Result<Piece> {
        let bytes = read_piece(self.store, piece)?;
        self.put(piece.name.clone(), &bytes, piece.rows)
    }

    /// Writes out the rest and gives the bytes of each segment written.
    pub fn finish(mut self) -> Result<BTreeMap<String, u64>> {
        self.flush()?;
        Ok(self.written)
    }

    fn flush(&mut self) -> Result<()> {
        if !self.bytes.is_empty() {
            let name = self.name();
            self.store.write(&name, &self.bytes)?;
            self.written.insert(name, self.bytes.len() as u64);
            self.bytes.clear();
            self.part += 1;
        }
        Ok(())
    }
}

/// The bytes of a piece, checked.
pub(super) fn read_piece(store: &dyn CheckpointStore, piece: &Piece) -> Result<Vec<u8>> {
    let damaged = |problem: String| Error::Damaged { name: piece.segment.clone(), problem };
    let bytes = store.read_range(&piece.segment, piece.offset, piece.length)?;
    let bytes = bytes.ok_or_else(|| damaged("it is missing".to_owned()))?;
    if bytes.len() as u64 != piece.length || crc32fast::hash(&bytes) != piece.crc32 {
        return Err(damaged(format!(
            "{} at byte {} is not what was written",
            piece.name, piece.offset
        )));
    }
    Ok(bytes)
}

/// Removes segments that none of the `kept` manifests names.
pub(crate) fn remove_unused(store: &mut dyn CheckpointStore, kept: &[Manifest]) -> Result<()> {
    let used: BTreeSet<&str> = kept
        .iter()
        .flat_map(|manifest| manifest.segment_bytes.keys())
        .map(String::as_str)
        .collect();
    let names = store.list()?;
    let unused =
        names.iter().filter(|name| name.starts_with(PREFIX) && !used.contains(name.as_str()));
    unused.into_iter().try_for_each(|name| store.delete(name))
}
