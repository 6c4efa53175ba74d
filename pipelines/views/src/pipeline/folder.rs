//! What a pipeline keeps on disk: checkpoints, the epochs a checkpoint's marts still lack, and the
//! journal of batches that may have been sent.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use millrace_engine::{
    CheckpointId, CheckpointStore, Cut as EngineCut, DirStore, Engine, Journal,
};
use millrace_events::Position;
use millrace_olap::{BatchLog, BatchRange, LoadEpoch};
use parking_lot::Mutex;
use uuid::Uuid;

use super::PipelineOptions;
use super::feed::Place;
use crate::{Error, Result};

const LINEAGE: &str = "lineage";
const FIRST: &str = "first";

/// The folder of one pipeline.
pub(super) struct Folder {
    root: PathBuf,
    checkpoints: DirStore,
    unsent: DirStore,
}

/// An engine to go on with.
pub(super) struct Restored {
    pub engine: Engine,
    pub place: Place,
    /// Epochs the engine includes that marts may lack.
    pub unsent: Vec<LoadEpoch>,
}

fn unsent_name(epoch: u64) -> String {
    format!("unsent-{epoch:020}")
}

impl Folder {
    pub fn open(root: &Path) -> Result<Self> {
        let checkpoints = DirStore::open(root.join("checkpoints"))?;
        let unsent = DirStore::open(root.join("unsent"))?;
        Ok(Self { root: root.to_owned(), checkpoints, unsent })
    }

    /// Names the log this folder has followed; made at the first start.
    pub fn lineage(&self) -> Result<String> {
        let mut store = DirStore::open(&self.root)?;
        if let Some(bytes) = store.read(LINEAGE)? {
            return String::from_utf8(bytes).map_err(|_| Error::Damaged {
                path: self.root.join(LINEAGE).display().to_string(),
                problem: "it is not text; remove the folder to start over".to_owned(),
            });
        }
        let lineage = Uuid::new_v4().simple().to_string();
        store.replace(LINEAGE, lineage.as_bytes())?;
        Ok(lineage)
    }

    /// The engine as of the newest sound checkpoint; a fresh one where there is none, or where it does
    /// not fit the views: they are then filled again from the start of the log.
    pub fn restore(&self, options: &PipelineOptions) -> Result<Restored> {
        let registry = &options.registry;
        let restored = Engine::restore(
            options.engine.clone(),
            registry.relations(),
            registry.definitions(),
            &self.checkpoints,
        );
        let (engine, cut) = match restored {
            Ok(restored) => restored,
            Err(
                error @ (millrace_engine::Error::StateMissing { .. }
                | millrace_engine::Error::NoUsableCheckpoint { .. }
                | millrace_engine::Error::Damaged { .. }),
            ) => {
                tracing::warn!(%error, "views are filled again from the start of the log");
                return fresh(options);
            }
            Err(error) => return Err(error.into()),
        };
        if cut.is_empty() {
            return fresh(options);
        }
        match self.read_unsent(engine.epoch()) {
            Ok(unsent) => Ok(Restored { engine, place: Place::from_engine(&cut), unsent }),
            Err(error) if options.marts.is_some() => {
                tracing::warn!(%error, "views are filled again from the start of the log");
                fresh(options)
            }
            Err(_) => Ok(Restored { engine, place: Place::from_engine(&cut), unsent: Vec::new() }),
        }
    }

    fn read_unsent(&self, epoch: u64) -> Result<Vec<LoadEpoch>> {
        let name = unsent_name(epoch);
        let bytes = self.unsent.read(&name)?.ok_or_else(|| Error::Damaged {
            path: self.root.join("unsent").join(&name).display().to_string(),
            problem: "it is missing".to_owned(),
        })?;
        let mut rest = bytes.as_slice();
        let mut epochs = Vec::new();
        while let Some(epoch) = LoadEpoch::read(&mut rest)? {
            epochs.push(epoch);
        }
        Ok(epochs)
    }

    /// Saves the engine. `unsent` is written first: a checkpoint without it would have passed what the
    /// marts have acknowledged.
    pub fn checkpoint(
        &mut self,
        engine: &mut Engine,
        unsent: &[Arc<LoadEpoch>],
        kept: usize,
    ) -> Result<CheckpointId> {
        let mut bytes = Vec::new();
        for epoch in unsent {
            epoch.write(&mut bytes)?;
        }
        self.unsent.replace(&unsent_name(engine.epoch()), &bytes)?;
        let id = engine.checkpoint(&mut self.checkpoints)?;
        let names = self.unsent.list()?;
        for name in names.iter().rev().skip(kept.max(1)) {
            self.unsent.delete(name)?;
        }
        Ok(id)
    }

    /// Forgets all checkpoints.
    pub fn wipe(&mut self) -> Result<()> {
        for store in [&mut self.checkpoints, &mut self.unsent] {
            for name in store.list()? {
                store.delete(&name)?;
            }
        }
        Ok(())
    }

    /// The journal of batches and what it holds.
    pub fn batches(&self) -> Result<(BatchJournal, Vec<BatchRange>)> {
        let mut store = DirStore::open(self.root.join("batches"))?;
        let (journal, entries) = Journal::open(&mut store, 0)?;
        let range = |entry: &millrace_engine::JournalEntry| BatchRange {
            first: Position(entry.cut.get(FIRST).unwrap_or(entry.epoch)),
            last: Position(entry.epoch),
        };
        let noted: Vec<BatchRange> = entries.iter().map(range).collect();
        let last = noted.iter().map(|range| range.last).max().unwrap_or_default();
        let inner = BatchFile { store, journal, last };
        Ok((BatchJournal(Arc::new(Mutex::new(inner))), noted))
    }
}

fn fresh(options: &PipelineOptions) -> Result<Restored> {
    let mut engine = Engine::new(options.engine.clone())?;
    for relation in options.registry.relations() {
        engine.create_relation(relation)?;
    }
    for view in options.registry.definitions() {
        engine.create_view(view)?;
    }
    Ok(Restored { engine, place: Place::default(), unsent: Vec::new() })
}

struct BatchFile {
    store: DirStore,
    /// Numbered by the batch's last position.
    journal: Journal,
    last: Position,
}

/// Batches that may have been sent to the marts.
#[derive(Clone)]
pub(super) struct BatchJournal(Arc<Mutex<BatchFile>>);

impl BatchJournal {
    /// Forgets batches that end before `position`: all marts have them and what is behind them.
    pub fn forget_before(&self, position: Position) -> Result<()> {
        let file = &mut *self.0.lock();
        let oldest = position.0.saturating_sub(1);
        Ok(file.journal.checkpointed(&mut file.store, file.last.0, oldest)?)
    }
}

impl BatchLog for BatchJournal {
    fn note(&mut self, range: BatchRange) -> io::Result<()> {
        let file = &mut *self.0.lock();
        let cut = EngineCut::from_iter([(FIRST, range.first.0)]);
        file.journal.append(&mut file.store, range.last.0, &cut).map_err(io::Error::other)?;
        file.last = file.last.max(range.last);
        Ok(())
    }
}
