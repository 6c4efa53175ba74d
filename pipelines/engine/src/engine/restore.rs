//! Checkpoints, and going on from them.

use std::sync::Arc;

use super::{Engine, EngineConfig};
use crate::checkpoint::{self, Manifest};
use crate::{CheckpointId, CheckpointStore, Cut, Error, Relation, Result, ViewDefinition};

impl Engine {
    /// Saves what changed since the last checkpoint, removes checkpoints beyond those to be kept, and gives
    /// the new one's name. Afterwards [`Self::restore`] gives an engine that goes on exactly from here.
    ///
    /// # Errors
    /// When the store fails, the checkpoints before stay as they were and the next one saves everything.
    pub fn checkpoint(&mut self, store: &mut dyn CheckpointStore) -> Result<CheckpointId> {
        if self.checkpoints.last().is_none_or(|newest| newest.epoch != self.epoch) {
            let previous = self.checkpoints.last();
            let manifest =
                checkpoint::save(&mut self.graph, self.epoch, &self.cut, previous, store)?;
            self.checkpoints.push(manifest);
            let surplus =
                self.checkpoints.len().saturating_sub(self.config.checkpoints_kept.max(1));
            self.checkpoints.drain(..surplus);
            checkpoint::remove_older(&self.checkpoints, store)?;
        }
        Ok(CheckpointId(self.epoch))
    }

    /// The oldest checkpoint still kept, up to which a journal may be forgotten.
    pub fn oldest_checkpoint(&self) -> Option<CheckpointId> {
        self.checkpoints.first().map(|manifest| CheckpointId(manifest.epoch))
    }

    /// The engine as of the newest checkpoint that can be read, with its cut; a fresh one at an empty cut
    /// when the store holds none. Views that are new since then fill themselves with the next epoch.
    ///
    /// # Errors
    /// [`Error::NoUsableCheckpoint`] when all are damaged, [`Error::StateMissing`] when a new or changed view
    /// reads a relation that keeps no rows.
    pub fn restore(
        config: EngineConfig,
        relations: Vec<Relation>,
        views: Vec<ViewDefinition>,
        store: &dyn CheckpointStore,
    ) -> Result<(Self, Cut)> {
        let epochs = Manifest::epochs(store)?;
        let mut last_problem = None;
        for epoch in &epochs {
            let mut engine = Self::declare(config.clone(), &relations, &views)?;
            let loaded = Manifest::read(store, *epoch).and_then(|manifest| {
                checkpoint::load(&mut engine.graph, &manifest, store)?;
                Ok(manifest)
            });
            match loaded {
                Ok(manifest) => {
                    engine.resume(manifest, &epochs, store)?;
                    let cut = engine.cut().clone();
                    return Ok((engine, cut));
                }
                Err(problem) => last_problem = Some(problem),
            }
        }
        match last_problem {
            Some(last) => {
                Err(Error::NoUsableCheckpoint { count: epochs.len(), last: Box::new(last) })
            }
            None => Ok((Self::declare(config, &relations, &views)?, Cut::new())),
        }
    }

    fn declare(
        config: EngineConfig,
        relations: &[Relation],
        views: &[ViewDefinition],
    ) -> Result<Self> {
        let mut engine = Self::new(config)?;
        relations.iter().cloned().try_for_each(|relation| engine.create_relation(relation))?;
        views.iter().cloned().try_for_each(|view| engine.create_view(view))?;
        Ok(engine)
    }

    /// Takes up where the checkpoint left off.
    fn resume(
        &mut self,
        manifest: Manifest,
        epochs: &[u64],
        store: &dyn CheckpointStore,
    ) -> Result<()> {
        self.epoch = manifest.epoch;
        self.cut = Arc::new(manifest.cut.clone());
        for view in &mut self.views {
            if let Some(relation) = self.graph.missing_history(view.current.node, false) {
                let (view, relation) = (view.current.definition.name.clone(), relation.to_owned());
                return Err(Error::StateMissing { view, relation });
            }
            view.is_stopped = self.graph.nodes[view.current.node].failure.is_some();
        }
        let older = epochs.iter().filter(|epoch| **epoch < manifest.epoch);
        let older = older.take(self.config.checkpoints_kept.max(1) - 1);
        self.checkpoints = older.filter_map(|epoch| Manifest::read(store, *epoch).ok()).collect();
        self.checkpoints.reverse();
        self.checkpoints.push(manifest);
        Ok(())
    }
}
