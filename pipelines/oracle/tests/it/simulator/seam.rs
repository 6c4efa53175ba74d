//! Where a simulation stops its engine, and how often it did.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// A place between two steps of an engine's driver, or inside one that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seam {
    /// Input was taken, the engine has not seen it.
    Taken,
    /// The epoch is in the engine, its cut nowhere.
    Stepped,
    /// While the cut is written.
    Journal,
    /// The cut is durable, no sink has the epoch.
    Journaled,
    /// Some sinks have the epoch.
    BetweenSinks,
    /// All sinks have the epoch, its progress row is missing.
    Sunk,
    /// The epoch is done, and a checkpoint may be due.
    Done,
    /// While a checkpoint is written, put in place, or older ones are removed.
    Checkpoint,
    /// The checkpoint counts, the journal does not know yet.
    Checkpointed,
    /// While the journal starts a new file and removes old ones.
    Journals,
    /// While a checkpoint is read.
    Restore,
    /// While the journal is opened.
    Reopen,
    /// A view has changed in the engine and not in the catalog.
    ViewChanged,
}

impl Seam {
    pub const ALL: [Self; 13] = [
        Self::Taken,
        Self::Stepped,
        Self::Journal,
        Self::Journaled,
        Self::BetweenSinks,
        Self::Sunk,
        Self::Done,
        Self::Checkpoint,
        Self::Checkpointed,
        Self::Journals,
        Self::Restore,
        Self::Reopen,
        Self::ViewChanged,
    ];

    /// How often a stop may let the seam pass, so that it falls somewhere into a short run.
    fn passes_max(self) -> usize {
        match self {
            Self::BetweenSinks => 40,
            Self::Restore | Self::Reopen | Self::ViewChanged => 1,
            Self::Checkpoint | Self::Checkpointed | Self::Journals => 3,
            _ => 9,
        }
    }
}

/// The next stop: at a seam, after it was passed so many times.
#[derive(Debug, Clone, Copy)]
pub struct NextStop {
    pub seam: Seam,
    pub passes: usize,
}

impl NextStop {
    pub fn draw(random: &mut ChaCha8Rng) -> Self {
        let seam = *Seam::ALL.choose(random).expect("there are seams");
        Self { seam, passes: random.random_range(0..seam.passes_max()) }
    }
}

/// What simulations went through.
#[derive(Debug, Default)]
pub struct Tally {
    counts: BTreeMap<String, u64>,
}

impl Tally {
    pub fn count(&mut self, what: impl Into<String>) {
        *self.counts.entry(what.into()).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        for (what, count) in other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }

    pub fn get(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or_default()
    }
}
