//! How the state of one operator becomes pieces and comes back.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::manifest::Piece;
use super::segment::read_piece;
use crate::graph::Share;
use crate::state::{RowStore, SavedChunk, SavedRows};
use crate::{CheckpointStore, Error, Result};

const GROUPS: &str = "groups";

/// Groups that changed since the checkpoint before.
pub(crate) struct SavedChange {
    /// Encoded keys of groups that went; some may have come back.
    pub gone: Vec<Box<[u8]>>,
    /// How many groups changed.
    pub groups: usize,
}

/// Groups as they come back: keys that went, then groups that changed.
pub(crate) struct SavedGroups {
    pub gone: Vec<Box<[u8]>>,
    pub batch: RecordBatch,
}

/// A piece of the checkpoint being made.
pub(crate) enum Draft {
    /// As it was saved before.
    Kept(Piece),
    /// To be written.
    New { name: String, bytes: Vec<u8>, rows: u64 },
}

/// Takes the state of one operator.
pub(crate) struct PieceWriter<'a> {
    previous: &'a [Piece],
    drafts: Vec<Draft>,
}

impl<'a> PieceWriter<'a> {
    /// `previous` is what the checkpoint before holds of the operator.
    pub fn new(previous: &'a [Piece]) -> Self {
        Self { previous, drafts: Vec::new() }
    }

    pub fn into_drafts(self) -> Vec<Draft> {
        self.drafts
    }

    /// Saves rows: each chunk once, and which of their rows have gone.
    pub fn put_rows(&mut self, name: &str, rows: &RowStore) -> Result<()> {
        let saved: BTreeMap<&str, &Piece> =
            self.previous.iter().map(|piece| (piece.name.as_str(), piece)).collect();
        let chunks = rows.saved();
        for chunk in &chunks {
            let piece_name = chunk_name(name, chunk.id);
            self.drafts.push(match saved.get(piece_name.as_str()) {
                Some(piece) => Draft::Kept((*piece).clone()),
                None => Draft::New {
                    name: piece_name,
                    bytes: write_batch(&chunk.batch)?,
                    rows: chunk.batch.num_rows() as u64,
                },
            });
        }
        let index = Draft::New { name: index_name(name), bytes: write_index(&chunks), rows: 0 };
        self.drafts.push(index);
        Ok(())
    }

    /// Saves groups: those that changed behind what was saved before, or all of the `total` groups when
    /// that has become the shorter. `batch` gives only the changed groups or all.
    pub fn put_groups(
        &mut self,
        total: usize,
        change: Option<SavedChange>,
        batch: impl Fn(bool) -> Result<RecordBatch>,
    ) -> Result<()> {
        let previous: Vec<&Piece> =
            self.previous.iter().filter(|piece| piece.name.starts_with(GROUPS)).collect();
        let changed_before: u64 = previous.iter().skip(1).map(|piece| piece.rows).sum();
        let appended = change.filter(|change| {
            let changed = changed_before + (change.groups + change.gone.len()) as u64;
            !previous.is_empty() && changed <= (total as u64).max(1024)
        });
        let Some(change) = appended else {
            let bytes = write_groups(&[], &batch(false)?)?;
            self.drafts.push(Draft::New { name: format!("{GROUPS}-0"), bytes, rows: total as u64 });
            return Ok(());
        };
        self.drafts.extend(previous.iter().map(|piece| Draft::Kept((*piece).clone())));
        if change.groups > 0 || !change.gone.is_empty() {
            let bytes = write_groups(&change.gone, &batch(true)?)?;
            let rows = (change.groups + change.gone.len()) as u64;
            self.drafts.push(Draft::New {
                name: format!("{GROUPS}-{}", previous.len()),
                bytes,
                rows,
            });
        }
        Ok(())
    }
}

/// Gives the state of one operator back.
///
/// With a share, an operator takes only the part that is its worker's, and is asked once for each worker
/// there was.
pub(crate) struct PieceReader<'a> {
    store: &'a dyn CheckpointStore,
    pieces: &'a [Piece],
    share: Option<&'a Share>,
}

impl<'a> PieceReader<'a> {
    pub fn new(
        store: &'a dyn CheckpointStore,
        pieces: &'a [Piece],
        share: Option<&'a Share>,
    ) -> Self {
        Self { store, pieces, share }
    }

    fn read(&self, name: &str) -> Result<Vec<u8>> {
        let piece = self.pieces.iter().find(|piece| piece.name == name);
        let piece = piece.ok_or_else(|| Error::Damaged {
            name: "manifest".to_owned(),
            problem: format!("it names no piece {name}"),
        })?;
        read_piece(self.store, piece)
    }

    /// Rows of the first input saved with [`PieceWriter::put_rows`].
    pub fn rows(&self, name: &str) -> Result<SavedRows<'_>> {
        self.rows_of(0, name)
    }

    /// Rows of an input saved with [`PieceWriter::put_rows`].
    pub fn rows_of(&self, input: usize, name: &str) -> Result<SavedRows<'_>> {
        let index = parse_index(&self.read(&index_name(name))?).ok_or_else(|| garbled(name))?;
        let chunks = index.into_iter().map(|(id, dead)| {
            let piece = chunk_name(name, id);
            Ok(SavedChunk { id, batch: read_batch(&piece, &self.read(&piece)?)?, dead })
        });
        Ok(SavedRows { chunks: chunks.collect::<Result<_>>()?, share: self.share, input })
    }

    /// Groups saved with [`PieceWriter::put_groups`], piece by piece. `keys` gives the key columns of encoded
    /// keys, which the first column of each batch holds.
    pub fn groups(
        &self,
        keys: impl Fn(&[&[u8]]) -> Result<Vec<ArrayRef>>,
    ) -> Result<Vec<SavedGroups>> {
        let pieces = self.pieces.iter().filter(|piece| piece.name.starts_with(GROUPS));
        let parse = |piece: &Piece| {
            let bytes = read_piece(self.store, piece)?;
            let mut rest = bytes.as_slice();
            let gone = take_keys(&mut rest).ok_or_else(|| garbled(&piece.name))?;
            let batch = read_batch(&piece.name, rest)?;
            let Some(share) = self.share else { return Ok(SavedGroups { gone, batch }) };
            let encoded: Vec<&[u8]> = batch.column(0).as_binary::<i32>().iter().flatten().collect();
            let mine = share.mine(0, &keys(&encoded)?, &batch)?;
            Ok(SavedGroups { gone, batch: filter_record_batch(&batch, &BooleanArray::from(mine))? })
        };
        pieces.map(parse).collect()
    }
}

fn chunk_name(name: &str, id: u64) -> String {
    format!("{name}-{id}")
}

fn index_name(name: &str) -> String {
    format!("{name}-index")
}

fn garbled(name: &str) -> Error {
    Error::Damaged {
        name: name.to_owned(),
        problem: "it has a sound checksum but makes no sense".to_owned(),
    }
}

fn write_batch(batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref())?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

fn read_batch(name: &str, bytes: &[u8]) -> Result<RecordBatch> {
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    reader.next().ok_or_else(|| garbled(name))?.map_err(Error::from)
}

/// Ids of the chunks in order, each with the words of its dead rows.
fn write_index(chunks: &[SavedChunk]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in chunks {
        let dead = chunk.dead.as_ref().map_or(&[][..], |dead| dead.as_slice());
        bytes.extend_from_slice(&chunk.id.to_le_bytes());
        bytes.extend_from_slice(&(dead.len() as u64).to_le_bytes());
        dead.iter().for_each(|word| bytes.extend_from_slice(&word.to_le_bytes()));
    }
    bytes
}

type Index = Vec<(u64, Option<Arc<Vec<u64>>>)>;

fn parse_index(mut bytes: &[u8]) -> Option<Index> {
    let mut index = Vec::new();
    while !bytes.is_empty() {
        let id = take_u64(&mut bytes)?;
        let words = take_u64(&mut bytes)?;
        let dead = (0..words).map(|_| take_u64(&mut bytes)).collect::<Option<Vec<u64>>>()?;
        index.push((id, (!dead.is_empty()).then(|| Arc::new(dead))));
    }
    Some(index)
}

fn write_groups(gone: &[Box<[u8]>], batch: &RecordBatch) -> Result<Vec<u8>> {
    let mut bytes = (gone.len() as u64).to_le_bytes().to_vec();
    for key in gone {
        bytes.extend_from_slice(&(key.len() as u64).to_le_bytes());
        bytes.extend_from_slice(key);
    }
    bytes.extend_from_slice(&write_batch(batch)?);
    Ok(bytes)
}

fn take_keys(bytes: &mut &[u8]) -> Option<Vec<Box<[u8]>>> {
    let count = take_u64(bytes)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(take_u64(bytes)?).ok()?;
        let (key, rest) = bytes.split_at_checked(length)?;
        keys.push(key.into());
        *bytes = rest;
    }
    Some(keys)
}

fn take_u64(bytes: &mut &[u8]) -> Option<u64> {
    let (value, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*value))
}
