//! The unit of input and output: an epoch, the cut of the input it stands for, and what it changed.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::state::{concat, going_first};
use crate::{Delta, Result};

/// How far each input has been read: a position per partition, such as a Kafka offset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cut(BTreeMap<String, u64>);

impl Cut {
    /// A cut before all input.
    pub fn new() -> Self {
        Self::default()
    }

    /// The position of `partition`, if it has been read at all.
    pub fn get(&self, partition: &str) -> Option<u64> {
        self.0.get(partition).copied()
    }

    /// Sets the position of `partition`.
    pub fn set(&mut self, partition: impl Into<String>, position: u64) {
        self.0.insert(partition.into(), position);
    }

    /// Partitions with their positions, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, position)| (name.as_str(), *position))
    }

    /// Whether nothing has been read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every partition of `other` has been read at least as far here.
    pub fn covers(&self, other: &Cut) -> bool {
        other.0.iter().all(|(name, position)| self.get(name).is_some_and(|own| own >= *position))
    }
}

impl<S: Into<String>> FromIterator<(S, u64)> for Cut {
    fn from_iter<I: IntoIterator<Item = (S, u64)>>(positions: I) -> Self {
        Self(positions.into_iter().map(|(name, position)| (name.into(), position)).collect())
    }
}

/// A piece of input that takes effect as a whole.
#[derive(Debug, Clone)]
pub struct Epoch {
    /// Greater than the number of the epoch before.
    pub number: u64,
    /// How far the inputs have been read once this epoch is in.
    pub cut: Cut,
    /// Changes by relation. A relation may appear more than once; its changes apply in order.
    pub inputs: Vec<(String, Delta)>,
    /// The time at which the epoch takes place.
    pub now: DateTime<Utc>,
}

/// What one epoch changed.
#[derive(Debug, Clone, Default)]
pub struct EpochChanges {
    /// Number of the epoch.
    pub epoch: u64,
    /// The change of each view that changed, in the order of their creation. Equal rows are summed up: no
    /// row both comes and goes, and rows that go stand before rows that come. With several workers a large
    /// change may stand in several shares one after the other, which have no row, and of a view with a key no
    /// key, in common.
    pub changes: Vec<(String, Delta)>,
    /// Views that this epoch brought to a stop, such as by a division by zero. All others go on.
    pub stopped: Vec<StoppedView>,
    /// Views that have caught up with what they read: their change is all they hold, whatever a sink has of
    /// them from before.
    pub filled: Vec<String>,
    /// Replacements that failed on data while they were filled. The views go on as they were.
    pub given_up: Vec<StoppedView>,
}

impl EpochChanges {
    /// The same with the shares of each view put together.
    ///
    /// # Errors
    /// [`Error::Arrow`](crate::Error) when they have too many rows or bytes of text for one batch.
    pub fn joined(mut self) -> Result<Self> {
        let is_same = |one: &(String, Delta), other: &(String, Delta)| one.0 == other.0;
        if self.changes.windows(2).any(|pair| is_same(&pair[0], &pair[1])) {
            let views = self.changes.chunk_by(is_same).map(|shares| {
                let (name, first) = &shares[0];
                let shares = shares.iter().map(|(_, share)| share.clone()).collect();
                Ok((name.clone(), going_first(concat(&first.schema(), shares)?)?))
            });
            self.changes = views.collect::<Result<_>>()?;
        }
        Ok(self)
    }
}

/// A view that can no longer be kept true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedView {
    /// Name of the view.
    pub view: String,
    /// What went wrong.
    pub reason: String,
}
