//! The table of contents of a checkpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{CheckpointStore, Cut, Error, Result};

const PREFIX: &str = "manifest-";
/// Raised when a checkpoint written before can no longer be read.
const FORMAT: u32 = 1;
/// Checksum as eight hexadecimal digits and a line feed.
const HEADER_BYTES: usize = 9;

/// Where a piece of state is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Piece {
    pub name: String,
    pub segment: String,
    pub offset: u64,
    pub length: u64,
    pub crc32: u32,
    /// Rows or groups in it.
    pub rows: u64,
}

/// State of one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NodeState {
    /// Identifies the operator by what it computes.
    pub fingerprint: String,
    /// Why it had stopped, if it had.
    pub failure: Option<String>,
    /// What the first worker holds.
    pub pieces: Vec<Piece>,
    /// What each of the workers after the first holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Vec<Piece>>,
}

impl NodeState {
    /// What each of `by_worker` holds, at least one.
    pub fn new(fingerprint: String, failure: Option<String>, by_worker: &[Vec<Piece>]) -> Self {
        let (pieces, more) = by_worker.split_first().expect("there is a first worker");
        Self { fingerprint, failure, pieces: pieces.clone(), more: more.to_vec() }
    }

    pub fn by_worker(&self) -> Vec<Vec<Piece>> {
        std::iter::once(&self.pieces).chain(&self.more).cloned().collect()
    }

    pub fn all_pieces(&self) -> impl Iterator<Item = &Piece> {
        self.pieces.iter().chain(self.more.iter().flatten())
    }

    pub fn all_pieces_mut(&mut self) -> impl Iterator<Item = &mut Piece> {
        self.pieces.iter_mut().chain(self.more.iter_mut().flatten())
    }
}

/// A whole checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub format: u32,
    pub epoch: u64,
    pub cut: Cut,
    /// Workers among whom the state is divided.
    #[serde(default = "one")]
    pub workers: usize,
    pub nodes: Vec<NodeState>,
    /// Bytes of each segment it uses, with those no piece uses any more.
    pub segment_bytes: BTreeMap<String, u64>,
}

fn one() -> usize {
    1
}

impl Manifest {
    pub fn new(
        epoch: u64,
        cut: Cut,
        workers: usize,
        nodes: Vec<NodeState>,
        segment_bytes: BTreeMap<String, u64>,
    ) -> Self {
        Self { format: FORMAT, epoch, cut, workers, nodes, segment_bytes }
    }

    fn file_name(epoch: u64) -> String {
        format!("{PREFIX}{epoch:020}")
    }

    /// Puts the manifest in place, which makes the checkpoint count.
    pub fn write(&self, store: &mut dyn CheckpointStore) -> Result<()> {
        let body = serde_json::to_vec(self).expect("a manifest has string keys");
        let mut bytes = format!("{:08x}\n", crc32fast::hash(&body)).into_bytes();
        bytes.extend_from_slice(&body);
        store.replace(&Self::file_name(self.epoch), &bytes)
    }

    /// Epochs of the checkpoints in the store, newest first.
    pub fn epochs(store: &dyn CheckpointStore) -> Result<Vec<u64>> {
        let names = store.list()?;
        let epochs = names.iter().filter_map(|name| name.strip_prefix(PREFIX)?.parse().ok());
        let mut epochs: Vec<u64> = epochs.collect();
        epochs.sort_unstable_by(|one, other| other.cmp(one));
        Ok(epochs)
    }

    /// Reads the manifest of the checkpoint at `epoch`.
    pub fn read(store: &dyn CheckpointStore, epoch: u64) -> Result<Self> {
        let name = Self::file_name(epoch);
        let damaged =
            |problem: &str| Error::Damaged { name: name.clone(), problem: problem.to_owned() };
        let bytes = store.read(&name)?.ok_or_else(|| damaged("it is missing"))?;
        let body = bytes.get(HEADER_BYTES..).ok_or_else(|| damaged("it is too short"))?;
        if bytes[..HEADER_BYTES] != *format!("{:08x}\n", crc32fast::hash(body)).as_bytes() {
            return Err(damaged("its checksum does not fit"));
        }
        let manifest: Self =
            serde_json::from_slice(body).map_err(|error| damaged(&error.to_string()))?;
        match manifest.format {
            FORMAT => Ok(manifest),
            other => Err(damaged(&format!("it has format {other}, this engine reads {FORMAT}"))),
        }
    }

    pub fn delete(store: &mut dyn CheckpointStore, epoch: u64) -> Result<()> {
        store.delete(&Self::file_name(epoch))
    }
}
