//! Fills a view that people have defined: an engine of its own reads the log from the start, beside the one
//! whose views are live, and stops at exactly the position that one is at.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_engine::{Cut as EngineCut, Delta, Engine, Epoch, EpochChanges};
use millrace_events::Position;
use millrace_source::{Cut, SourceEpoch};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use super::feed::Purpose;
use super::hub::Hub;
use super::run::Input;
use super::split::{self, Piece};
use crate::{Error, Registry, Result};

const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// How far a view has been filled.
#[derive(Debug, Default)]
pub(super) struct Progress {
    filled: AtomicU64,
    /// Where the live views are.
    live: AtomicU64,
}

impl Progress {
    pub fn live_at(&self, position: Position) {
        self.live.store(position.0, Ordering::Relaxed);
    }

    /// Of rows, where it is not from the log.
    pub fn rows(&self, filled: usize, all: usize) {
        self.filled.store(filled as u64, Ordering::Relaxed);
        self.live.store(all as u64, Ordering::Relaxed);
    }

    fn live(&self) -> u64 {
        self.live.load(Ordering::Relaxed)
    }

    /// From 0 to 100.
    pub fn percent(&self) -> u8 {
        let filled = self.filled.load(Ordering::Relaxed);
        let percent = filled.saturating_mul(100) / self.live().max(1);
        u8::try_from(percent.min(100)).unwrap_or(100)
    }
}

/// An engine that is being filled.
pub(super) struct Fill {
    pub engine: Engine,
    /// Up to here it has been.
    pub cut: Cut,
    /// The life of the database whose events count.
    pub incarnation: u32,
    /// Views it is about, and the events they depend on.
    pub views: HashSet<String>,
    pub events: HashSet<String>,
}

/// A fill at work; it is given up when dropped.
#[derive(Debug)]
pub(super) struct Filler {
    task: AbortHandle,
    pub progress: Arc<Progress>,
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Fill {
    /// Of the views `names`.
    ///
    /// # Errors
    /// What the engine refuses.
    pub fn new(registry: &Registry, hub: &Hub, incarnation: u32, names: &[&str]) -> Result<Self> {
        let closure = registry.closure_of(names)?;
        let reads = closure.iter().flat_map(|view| view.reads.iter());
        let events = reads.filter(|name| registry.events().contains_key(*name)).cloned().collect();
        Ok(Self {
            engine: registry.engine(hub.options.engine.clone(), names)?,
            cut: Cut::default(),
            incarnation,
            views: names.iter().map(|name| (*name).to_owned()).collect(),
            events,
        })
    }

    /// Fills on a task; what is to be said comes as inputs about the definition made at `at`.
    pub fn start(
        self,
        hub: Arc<Hub>,
        inputs: mpsc::WeakSender<Input>,
        at: Position,
        progress: Arc<Progress>,
        runtime: &tokio::runtime::Handle,
    ) -> Filler {
        let filling =
            Filling { fill: Some(self), hub, inputs, at, progress: Arc::clone(&progress) };
        Filler { task: runtime.spawn(filling.run()).abort_handle(), progress }
    }

    /// Rows that this engine needs, as it takes them.
    pub fn inputs(&self, piece: &Piece) -> Vec<(String, Delta)> {
        let needed = piece.tables.iter().filter(|(name, _)| self.events.contains(&**name));
        needed.map(|(name, rows)| (name.to_string(), Delta::inserts(rows.clone()))).collect()
    }

    /// One epoch.
    ///
    /// # Errors
    /// The view fails on the data.
    pub fn step(
        &mut self,
        inputs: Vec<(String, Delta)>,
        cut: EngineCut,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<()> {
        let number = self.engine.epoch() + 1;
        let EpochChanges { stopped, .. } = self.engine.step(Epoch { number, cut, inputs, now })?;
        match stopped.into_iter().find(|stopped| self.views.contains(&stopped.view)) {
            Some(stopped) => Err(Error::NotFilled { name: stopped.view, problem: stopped.reason }),
            None => Ok(()),
        }
    }
}

/// The task.
struct Filling {
    /// Away while it works on an epoch.
    fill: Option<Fill>,
    hub: Arc<Hub>,
    inputs: mpsc::WeakSender<Input>,
    at: Position,
    progress: Arc<Progress>,
}

impl Filling {
    async fn run(mut self) {
        let mut target = None;
        let outcome = loop {
            match self.read(&mut target).await {
                Err(error @ (Error::Feed { retryable: true, .. } | Error::PastChanged { .. })) => {
                    // After a restore of the database the whole pipeline starts over, and this ends.
                    tracing::warn!(%error, "the log is opened again to fill a view");
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                outcome => break outcome,
            }
        };
        // That is no fault of the view: it is filled again at the next start.
        if let Err(Error::Stopped { .. }) = outcome {
            return;
        }
        let Self { fill, inputs, at, .. } = self;
        if let Some(inputs) = inputs.upgrade() {
            let gone =
                || Error::Stopped { reason: "the engine that filled a view is gone".to_owned() };
            let outcome = outcome.and_then(|()| fill.map(Box::new).ok_or_else(gone));
            // Without the engine's thread nobody waits for it.
            let _ = inputs.send(Input::Filled { at, outcome }).await;
        }
    }

    /// Reads on until the position that the live views are at. `target` is that once it is known.
    async fn read(&mut self, target: &mut Option<Position>) -> Result<()> {
        let mut feed = None;
        loop {
            let cut = self.fill().cut.clone();
            let position = cut.position;
            let behind = self.progress.live().saturating_sub(position.0);
            if target.is_none() && behind <= self.hub.options.fill_near_events {
                *target = Some(meet(self.inputs.clone(), self.at).await?);
            }
            if *target == Some(position) {
                return Ok(());
            }
            let open = match &mut feed {
                Some(open) => open,
                none => none.insert(self.hub.feeds.open(cut, Purpose::Verify).await?),
            };
            let epoch = open.next_epoch().await?;
            if !epoch.is_empty() {
                self.take(epoch, target).await?;
            }
        }
    }

    /// Applies an epoch, or the part of it that the live views have.
    async fn take(&mut self, epoch: SourceEpoch, target: &mut Option<Position>) -> Result<()> {
        if epoch.cut.incarnation.max(1) != self.fill().incarnation {
            let reason = "the database was restored".to_owned();
            return Err(Error::PastChanged { reason, incarnation: epoch.cut.incarnation });
        }
        if target.is_none() && epoch.last_position.0 > self.progress.live() {
            *target = Some(meet(self.inputs.clone(), self.at).await?);
        }
        let ends: BTreeSet<Position> = (*target).into_iter().collect();
        let is_behind = |piece: &Piece| target.is_none_or(|target| piece.last <= target);
        for piece in split::at(&epoch, &ends).into_iter().filter(is_behind) {
            let whole = piece.last == epoch.last_position;
            let cut = match whole {
                true => epoch.cut.clone(),
                // Nothing is read behind this piece: what else the cut says does not matter.
                false => Cut { position: piece.last, ..epoch.cut.clone() },
            };
            self.apply(piece, cut).await?;
        }
        Ok(())
    }

    fn fill(&self) -> &Fill {
        self.fill.as_ref().expect("it is here between two epochs")
    }

    /// Applies a piece, up to `cut`, where it holds up nobody.
    async fn apply(&mut self, piece: Piece, cut: Cut) -> Result<()> {
        let mut fill = self.fill.take().expect("it is here between two epochs");
        let now = (self.hub.options.clock)();
        let work = move || {
            let inputs = fill.inputs(&piece);
            fill.cut = cut;
            let outcome = match inputs.is_empty() {
                true => Ok(()),
                false => fill.step(inputs, EngineCut::from_iter([("position", piece.last.0)]), now),
            };
            (fill, outcome)
        };
        let (fill, outcome) = match tokio::task::spawn_blocking(work).await {
            Ok(worked) => worked,
            Err(error) if error.is_panic() => {
                let reason = "the engine that filled a view panicked".to_owned();
                return Err(Error::Feed { reason, retryable: false });
            }
            Err(_) => return Err(ending()),
        };
        self.progress.filled.store(fill.cut.position.0, Ordering::Relaxed);
        self.fill = Some(fill);
        outcome
    }
}

/// Where the live views are now; from there on they keep what comes for the definition made `at` a position.
async fn meet(inputs: mpsc::WeakSender<Input>, at: Position) -> Result<Position> {
    let (answer, answered) = oneshot::channel();
    let inputs = inputs.upgrade().ok_or_else(ending)?;
    inputs.send(Input::Meet { at, answer }).await.map_err(|_| ending())?;
    drop(inputs);
    answered.await.map_err(|_| ending())
}

fn ending() -> Error {
    Error::Stopped { reason: "the pipeline is ending".to_owned() }
}
