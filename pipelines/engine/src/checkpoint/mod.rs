//! Saving and restoring an engine, exactly.

use serde::{Deserialize, Serialize};

/// Names a checkpoint: the number of the last epoch it includes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckpointId(pub u64);
