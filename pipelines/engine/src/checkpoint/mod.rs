//! Saving and restoring an engine, exactly.
//!
//! State is written as pieces: a run of rows, the groups that changed. The pieces of one checkpoint go into
//! segment files one after the other; a manifest names every piece of the whole state with its place and
//! checksum. Pieces that did not change are named again where they are, so a checkpoint costs what changed.
//! A checkpoint counts once its manifest is in place.

mod manifest;
mod pieces;
mod save;
mod segment;

use serde::{Deserialize, Serialize};

pub(crate) use manifest::{Manifest, Piece};
pub(crate) use pieces::{PieceReader, PieceWriter, SavedChange, SavedGroups};
pub(crate) use save::{load, remove_older, save};

/// Names a checkpoint: the number of the last epoch it includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckpointId(pub u64);
