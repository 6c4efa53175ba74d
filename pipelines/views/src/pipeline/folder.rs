//! What a pipeline keeps on disk: checkpoints, the epochs a checkpoint's marts still lack, and the
//! journal of batches that may have been sent.

use std::collections::VecDeque;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_engine::{CheckpointId, CheckpointStore, Cut as EngineCut, DirStore, Engine, Journal};
use millrace_events::Position;
use millrace_olap::{BatchLog, BatchRange, LoadEpoch};
use parking_lot::Mutex;
use uuid::Uuid;

use super::PipelineOptions;
use super::definitions::Definitions;
use super::feed::Place;
use crate::{Error, Registry, Result, View};

const LOCK_WAIT: Duration = Duration::from_secs(10);
const LINEAGE: &str = "lineage";
const DEFINITIONS: &str = "definitions.json";
const FIRST: &str = "first";

/// The folder of one pipeline.
pub(super) struct Folder {
    root: PathBuf,
    /// Locked as long as it is open: two pipelines would ruin each other's checkpoints.
    _lock: File,
    checkpoints: DirStore,
    unsent: DirStore,
    /// Files of unsent epochs, oldest first, with the last position in each.
    saved: VecDeque<(String, Position)>,
    /// All unsent epochs up to this one are in files.
    saved_epoch: u64,
    /// What the file of definitions says.
    saved_definitions: Definitions,
}

/// What views and marts are filled from: a log, in one life of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lineage {
    log: String,
    pub incarnation: u32,
}

impl Lineage {
    fn read(text: &str) -> Option<Self> {
        let (log, incarnation) = match text.split_once('.') {
            Some((log, incarnation)) => (log, incarnation.parse().ok()?),
            None => (text, 1),
        };
        Some(Self { log: log.to_owned(), incarnation })
    }
}

/// `<log>`, and in later lives `<log>.<incarnation>`.
impl fmt::Display for Lineage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.log)?;
        match self.incarnation {
            1 => Ok(()),
            later => write!(formatter, ".{later}"),
        }
    }
}

/// An engine to go on with.
pub(super) struct Restored {
    pub engine: Engine,
    pub place: Place,
    /// Epochs the engine includes that marts may lack.
    pub unsent: Vec<LoadEpoch>,
    /// Views that the engine keeps or is to keep beside those from files.
    pub definitions: Definitions,
}

/// Takes the folder for this process; one that is going down may hold it a moment longer.
fn lock(root: &Path) -> Result<File> {
    let path = root.join("lock");
    let failed = |source| Error::Folder { path: path.display().to_string(), source };
    fs::create_dir_all(root).map_err(failed)?;
    let file = File::create(&path).map_err(failed)?;
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(failed(io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "another pipeline uses it: stop that one first",
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
}

fn unsent_name(epoch: u64) -> String {
    format!("unsent-{epoch:020}")
}

impl Folder {
    pub fn open(root: &Path) -> Result<Self> {
        let lock = lock(root)?;
        let checkpoints = DirStore::open(root.join("checkpoints"))?;
        let unsent = DirStore::open(root.join("unsent"))?;
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
            checkpoints,
            unsent,
            saved: VecDeque::new(),
            saved_epoch: 0,
            saved_definitions: Definitions::default(),
        })
    }

    /// The views that people had defined when the last checkpoint was taken; none of another life of the
    /// database.
    fn read_definitions(&mut self, incarnation: u32) -> Result<Definitions> {
        let bytes = DirStore::open(&self.root)?.read(DEFINITIONS)?;
        let read = bytes.map(|bytes| serde_json::from_slice::<Definitions>(&bytes)).transpose();
        let read = read.map_err(|error| Error::Damaged {
            path: self.root.join(DEFINITIONS).display().to_string(),
            problem: format!("{error}; remove the folder to read them from the log again"),
        })?;
        self.saved_definitions = read.unwrap_or_default();
        match &self.saved_definitions {
            known if known.incarnation == incarnation => Ok(known.clone()),
            _ => Ok(Definitions::of(incarnation)),
        }
    }

    fn save_definitions(&mut self, definitions: &Definitions) -> Result<()> {
        if *definitions != self.saved_definitions
            && !(definitions.is_empty() && self.saved_definitions.is_empty())
        {
            let bytes = serde_json::to_vec(definitions).expect("definitions have string keys");
            DirStore::open(&self.root)?.replace(DEFINITIONS, &bytes)?;
            self.saved_definitions = definitions.clone();
        }
        Ok(())
    }

    /// What this folder has followed; begun at the first start.
    pub fn lineage(&self) -> Result<Lineage> {
        let mut store = DirStore::open(&self.root)?;
        if let Some(bytes) = store.read(LINEAGE)? {
            let known = str::from_utf8(&bytes).ok().and_then(Lineage::read);
            return known.ok_or_else(|| Error::Damaged {
                path: self.root.join(LINEAGE).display().to_string(),
                problem: "it can't be read; remove the folder to start over".to_owned(),
            });
        }
        let lineage = Lineage { log: Uuid::new_v4().simple().to_string(), incarnation: 1 };
        store.replace(LINEAGE, lineage.to_string().as_bytes())?;
        Ok(lineage)
    }

    /// Forgets everything: the log is followed from its start, under another incarnation of the
    /// database, so that marts are filled anew as well.
    pub fn start_over(&mut self, incarnation: u32) -> Result<()> {
        let lineage = Lineage { incarnation, ..self.lineage()? };
        // This first: whoever is interrupted here finds marts that lack what the checkpoint has.
        DirStore::open(&self.root)?.replace(LINEAGE, lineage.to_string().as_bytes())?;
        self.wipe()
    }

    /// The engine as of the newest sound checkpoint; a fresh one where there is none, or where it does
    /// not fit the views: they are then filled again from the start of the log.
    ///
    /// A view that somebody defined and whose state is not there is filled again beside the others.
    pub fn restore(&mut self, options: &PipelineOptions) -> Result<Restored> {
        let incarnation = self.lineage()?.incarnation;
        let mut definitions = self.read_definitions(incarnation)?;
        let (engine, cut) = match self.restore_engine(options, &mut definitions) {
            Ok(restored) => restored,
            Err(Error::Engine(
                error @ (millrace_engine::Error::StateMissing { .. }
                | millrace_engine::Error::NoUsableCheckpoint { .. }
                | millrace_engine::Error::Damaged { .. }),
            )) => {
                tracing::warn!(%error, "views are filled again from the start of the log");
                return self.fresh(options, definitions);
            }
            Err(error) => return Err(error),
        };
        let place = Place::from_engine(&cut);
        // There is no checkpoint, or starting over was interrupted.
        if cut.is_empty() || place.cut.incarnation.max(1) != incarnation {
            return self.fresh(options, definitions);
        }
        match self.read_unsent(engine.epoch()) {
            Ok(unsent) => Ok(Restored { engine, place, unsent, definitions }),
            Err(error) => {
                tracing::warn!(%error, "views are filled again from the start of the log");
                self.fresh(options, definitions)
            }
        }
    }

    /// The engine as of the newest sound checkpoint, with those of the defined views that it has.
    fn restore_engine(
        &self,
        options: &PipelineOptions,
        definitions: &mut Definitions,
    ) -> Result<(Engine, EngineCut)> {
        loop {
            let registry = planned(options, definitions)?;
            let restored = Engine::restore(
                options.engine.clone(),
                registry.relations(),
                registry.definitions(),
                &self.checkpoints,
            );
            let (view, problem) = match &restored {
                // What only reads rows that are kept is there, but empty.
                Ok((engine, _)) => match empty(engine, &registry) {
                    Some(view) => (view, None),
                    None => return Ok(restored?),
                },
                Err(millrace_engine::Error::StateMissing { view, .. }) => (view.clone(), None),
                Err(error) => match error.view() {
                    Some(view) => (view.to_owned(), Some(error.to_string())),
                    None => return Ok(restored?),
                },
            };
            if !definitions.demote(&view, problem) {
                return Ok(restored?);
            }
            tracing::warn!(view, "the checkpoint does not hold a view that was defined");
            for reader in registry.readers(&view) {
                definitions.demote(&reader.name, None);
            }
        }
    }

    /// An engine at the start of the log, which fills all views.
    fn fresh(
        &mut self,
        options: &PipelineOptions,
        mut definitions: Definitions,
    ) -> Result<Restored> {
        self.wipe()?;
        definitions.promote_all();
        let mut engine = Engine::new(options.engine.clone())?;
        let registry = planned(options, &mut definitions)?;
        for relation in registry.relations() {
            engine.create_relation(relation)?;
        }
        for view in registry.views() {
            match engine.create_view(view.definition()) {
                Err(error) if view.is_defined() => {
                    definitions.demote(&view.name, Some(error.to_string()));
                }
                outcome => outcome?,
            }
        }
        Ok(Restored { engine, place: Place::default(), unsent: Vec::new(), definitions })
    }

    /// Unsent epochs up to `epoch`; files behind it belong to a checkpoint that was not completed or
    /// is damaged.
    fn read_unsent(&mut self, epoch: u64) -> Result<Vec<LoadEpoch>> {
        let mut epochs: Vec<LoadEpoch> = Vec::new();
        self.saved.clear();
        for name in self.unsent.list()? {
            if name > unsent_name(epoch) {
                self.unsent.delete(&name)?;
                continue;
            }
            let bytes = self.unsent.read(&name)?.unwrap_or_default();
            let mut rest = bytes.as_slice();
            while let Some(epoch) = LoadEpoch::read(&mut rest)? {
                epochs.push(epoch);
            }
            let last = epochs.last().map(|epoch| epoch.position).unwrap_or_default();
            self.saved.push_back((name, last));
        }
        let gap = epochs.windows(2).find(|pair| pair[1].first_position != pair[0].position.next());
        if let Some(pair) = gap {
            return Err(Error::Damaged {
                path: self.root.join("unsent").display().to_string(),
                problem: format!("nothing follows position {}", pair[0].position),
            });
        }
        self.saved_epoch = epoch;
        Ok(epochs)
    }

    /// Saves the engine. Of the `unsent` epochs those not saved before are written first: a checkpoint
    /// without them would have passed what the marts have acknowledged.
    pub fn checkpoint(
        &mut self,
        engine: &mut Engine,
        unsent: &[Arc<LoadEpoch>],
        definitions: &Definitions,
    ) -> Result<CheckpointId> {
        // First: a view whose state is missing is filled again, a definition that is missing is not.
        self.save_definitions(definitions)?;
        let mut bytes = Vec::new();
        let mut last = Position::START;
        for epoch in unsent.iter().filter(|epoch| epoch.epoch > self.saved_epoch) {
            epoch.write(&mut bytes)?;
            last = epoch.position;
        }
        if !bytes.is_empty() {
            let name = unsent_name(engine.epoch());
            self.unsent.replace(&name, &bytes)?;
            self.saved.push_back((name, last));
        }
        self.saved_epoch = engine.epoch();
        Ok(engine.checkpoint(&mut self.checkpoints)?)
    }

    /// Removes files whose epochs have all arrived.
    pub fn forget_sent(&mut self, acknowledged: Position) -> Result<()> {
        while let Some((name, _)) = self.saved.front().filter(|(_, last)| *last <= acknowledged) {
            self.unsent.delete(name)?;
            self.saved.pop_front();
        }
        Ok(())
    }

    /// Forgets all checkpoints.
    pub fn wipe(&mut self) -> Result<()> {
        self.saved.clear();
        self.saved_epoch = 0;
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

/// The views from files and those defined, without what can't be planned beside them any more.
fn planned(options: &PipelineOptions, definitions: &mut Definitions) -> Result<Registry> {
    let (registry, refused) = options.registry.extended(&definitions.live())?;
    for (name, error) in refused {
        tracing::warn!(view = name, %error, "a defined view can't be kept any more");
        definitions.demote(&name, Some(error.to_string()));
    }
    Ok(registry)
}

/// A defined view whose rows the engine has yet to take in.
fn empty(engine: &Engine, registry: &Registry) -> Option<String> {
    let is_empty = |view: &&Arc<View>| {
        let snapshot = engine.snapshot(&view.name);
        matches!(snapshot, Err(millrace_engine::Error::Filling { .. }))
    };
    let found = registry.views().iter().filter(|view| view.is_defined()).find(is_empty);
    found.map(|view| view.name.clone())
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
