//! The engine's thread: applies epochs one at a time, publishes, hands on, checkpoints.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use metrics::{counter, gauge, histogram};
use millrace_engine::{Delta, Engine, Epoch, EpochChanges, Snapshot};
use millrace_events::Position;
use millrace_olap::{LoadEpoch, Loader, MartRows};
use millrace_source::SourceEpoch;
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::define::Defining;
use super::definitions::Definitions;
use super::feed::Place;
use super::fill::Fill;
use super::folder::{BatchJournal, Folder};
use super::hub::{Hub, Published, Told};
use super::served::Served;
use super::split::{self, Piece};
use super::status::{CheckpointStatus, State, StoppedViewStatus};
use super::trace;
use crate::{Error, Mart, Result, Serve, View, ViewChange, change};

/// What the thread is given.
pub(super) enum Input {
    Epoch {
        epoch: SourceEpoch,
        log_end: Position,
    },
    Explain(String, oneshot::Sender<Result<millrace_engine::Explain>>),
    Checkpoint(oneshot::Sender<Result<()>>),
    /// Where the live views are, for the definition made `at` a position, whose rows are nearly there; what
    /// comes from then on is kept for it.
    Meet {
        at: Position,
        answer: oneshot::Sender<Position>,
    },
    /// The definition made `at` a position is filled up to where it was told, or can't be.
    Filled {
        at: Position,
        outcome: Result<Box<Fill>>,
    },
    /// The loader has stopped for good.
    MartsFailed(millrace_olap::Error),
    Stop,
}

/// Why the thread ended well.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Stopped,
    /// The marts lack what lies before the checkpoint: the views start over.
    Rebuild,
    /// What was fed is not what counts any more: views and marts start over in this incarnation.
    StartOver {
        incarnation: u32,
    },
}

/// Marts being kept.
pub(super) struct Marts {
    pub loader: Loader,
    pub journal: BatchJournal,
    /// What was acknowledged at the checkpoint before.
    pub acknowledged_before: Position,
}

/// Marts that lack what lies before the checkpoint are filled by replaying the log.
fn marts_failed(error: millrace_olap::Error) -> Result<Ended> {
    if let millrace_olap::Error::Behind { .. } = error {
        tracing::warn!(%error, "views and marts are filled again from the log");
        return Ok(Ended::Rebuild);
    }
    Err(error.into())
}

pub(super) struct Worker {
    pub hub: Arc<Hub>,
    pub runtime: Handle,
    pub folder: Folder,
    pub engine: Engine,
    pub place: Place,
    pub marts: Option<Marts>,
    /// Positions at which an epoch has to end.
    pub ends: BTreeSet<Position>,
    /// What people have defined, and what of it is being filled.
    pub definitions: Definitions,
    pub(super) defining: Option<Defining>,
    pub(super) served: Arc<Served>,
    /// In the order of the served views.
    pub(super) snapshots: Vec<Option<Arc<Snapshot>>>,
    checkpointed_at: Instant,
    events_since: u64,
    pub(super) is_changed: bool,
    /// A view has been filled, which should not have to be done again.
    pub(super) should_checkpoint: bool,
    latency: Option<Duration>,
    pub incarnation: u32,
    /// Readers are ahead of the views, which are being filled again.
    is_rebuilding: bool,
}

impl Worker {
    pub fn new(
        hub: Arc<Hub>,
        folder: Folder,
        engine: Engine,
        place: Place,
        marts: Option<Marts>,
        ends: BTreeSet<Position>,
        definitions: Definitions,
    ) -> Result<Self> {
        let incarnation = folder.lineage()?.incarnation;
        let published = hub.latest().ok().map(|latest| latest.position);
        let is_rebuilding = published.is_some_and(|published| published > place.cut.position);
        let mut worker = Self {
            runtime: Handle::current(),
            served: hub.served(),
            hub,
            folder,
            engine,
            place,
            marts,
            ends,
            definitions,
            defining: None,
            snapshots: Vec::new(),
            checkpointed_at: Instant::now(),
            events_since: 0,
            is_changed: false,
            should_checkpoint: false,
            latency: None,
            incarnation,
            is_rebuilding,
        };
        worker.serve()?;
        Ok(worker)
    }

    /// The rows of live views, but of those that have stopped or are being filled.
    pub(super) fn snapshots_of(&self, served: &Served) -> Result<Vec<Option<Arc<Snapshot>>>> {
        let snapshot = |view: &Arc<View>| match self.engine.snapshot(&view.name) {
            Ok(snapshot) => Ok(Some(snapshot)),
            Err(millrace_engine::Error::Stopped { view, reason }) => {
                self.tell_stopped(StoppedViewStatus { view, reason });
                Ok(None)
            }
            Err(millrace_engine::Error::Filling { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        };
        served.live().map(snapshot).collect()
    }

    /// Works until told to stop.
    pub fn run(mut self, mut inputs: mpsc::Receiver<Input>) -> Result<Ended> {
        let published = self.hub.latest().map(|latest| latest.position).unwrap_or_default();
        self.served.reset_rings(self.place.cut.position.max(published));
        self.go_on()?;
        self.publish(Vec::new(), None);
        loop {
            let next = match self.fills_itself() {
                true => inputs.try_recv(),
                false => inputs.blocking_recv().ok_or(TryRecvError::Disconnected),
            };
            let input = match next {
                Ok(input) => input,
                Err(TryRecvError::Empty) => {
                    self.step_alone()?;
                    continue;
                }
                // Without a session the process is going down: what is not saved is applied again.
                Err(TryRecvError::Disconnected) => return Ok(Ended::Stopped),
            };
            match input {
                Input::Meet { at, answer } => self.meet(at, answer),
                Input::Filled { at, outcome } => self.filled(at, outcome)?,
                Input::Epoch { epoch, log_end } => match self.apply(&epoch, log_end) {
                    Err(Error::Olap(error)) => return marts_failed(error),
                    outcome => outcome?,
                },
                Input::MartsFailed(error) => return marts_failed(error),
                // Nobody may be waiting any more for what was asked.
                Input::Explain(view, answer) => {
                    let _ = answer.send(self.engine.explain(&view).map_err(Error::from));
                }
                Input::Checkpoint(answer) => {
                    let _ = answer.send(self.checkpoint());
                }
                Input::Stop => break,
            }
        }
        if let Some(marts) = &self.marts {
            self.runtime.block_on(marts.loader.shutdown());
        }
        if self.is_changed {
            self.checkpoint()?;
        }
        Ok(Ended::Stopped)
    }

    fn apply(&mut self, epoch: &SourceEpoch, log_end: Position) -> Result<()> {
        let applied = self.place.cut.position;
        if epoch.is_empty() {
            if epoch.frontier != self.place.frontier {
                self.place.frontier = epoch.frontier;
                self.publish(Vec::new(), None);
            }
        } else if epoch.first_position != applied.next() {
            return Err(Error::Order {
                epoch: epoch.number,
                first: epoch.first_position,
                applied,
                problem: "the feed skipped or repeated positions",
            });
        } else {
            self.apply_events(epoch)?;
        }
        self.hub.tell(|report| {
            report.state = State::Running;
            report.log_end = log_end;
        });
        let lag = log_end.0.saturating_sub(self.place.cut.position.0);
        gauge!("millrace_pipeline_lag_events").set(lag as f64);
        self.checkpoint_if_due()
    }

    fn apply_events(&mut self, epoch: &SourceEpoch) -> Result<()> {
        let started = Instant::now();
        let position = epoch.last_position;
        let spans = trace::epoch_spans(&epoch.traceparents, self.engine.epoch() + 1, position.0);
        let pieces = split::at(epoch, &self.ends);
        let last = pieces.len() - 1;
        for (index, piece) in pieces.into_iter().enumerate() {
            let mut next = self.place.clone();
            next.cut.position = piece.last;
            next.cut.applied += piece.events();
            next.cut.dead_lettered = piece.last.0 - next.cut.applied;
            next.as_of = next.as_of.max(piece.newest_event_at);
            if index == last {
                next.cut = epoch.cut.clone();
                next.frontier = epoch.frontier;
            }
            self.step(piece, next, &spans, epoch.oldest_event_at)?;
        }
        self.ends = self.ends.split_off(&position.next());
        self.events_since += epoch.events() as u64;
        self.observe(epoch, started);
        Ok(())
    }

    /// An epoch without events, in which the engine fills a new view from rows it keeps.
    fn step_alone(&mut self) -> Result<()> {
        let now = (self.hub.options.clock)();
        let changes = self.engine.step(Epoch {
            number: self.engine.epoch() + 1,
            cut: self.place.to_engine(),
            inputs: Vec::new(),
            now,
        })?;
        self.is_changed = true;
        self.note_stopped(&changes);
        self.after_fill(&changes)?;
        let (told, _) = self.tell_apart(changes, None)?;
        self.publish(told, None);
        self.checkpoint_if_due()
    }

    /// One epoch of the engine: everything in it becomes visible at once.
    fn step(
        &mut self,
        piece: Piece,
        next: Place,
        spans: &[tracing::Span],
        oldest_event_at: Option<DateTime<Utc>>,
    ) -> Result<()> {
        let inputs = piece
            .tables
            .iter()
            .map(|(name, rows)| (name.to_string(), Delta::inserts(rows.clone())))
            .collect();
        let changes = self.engine.step(Epoch {
            number: self.engine.epoch() + 1,
            cut: next.to_engine(),
            inputs,
            now: (self.hub.options.clock)(),
        })?;
        self.place = next;
        self.is_changed = true;
        self.note_stopped(&changes);
        self.follow(&piece);
        self.after_fill(&changes)?;
        let (told, loaded) = self.tell_apart(changes, Some(&piece))?;
        self.take_in(&piece)?;
        let publishing = trace::publish_spans(spans, told.len());
        self.publish(told, oldest_event_at);
        drop(publishing);
        if let (Some(marts), Some(loaded)) = (&self.marts, loaded) {
            self.runtime.block_on(marts.loader.enqueue(loaded))?;
        }
        Ok(())
    }

    fn after_fill(&mut self, changes: &EpochChanges) -> Result<()> {
        if !changes.filled.is_empty() {
            self.snapshots = self.snapshots_of(&self.served)?;
        }
        self.settle(changes)
    }

    /// What the live views' readers are told, and what the marts get.
    fn tell_apart(
        &mut self,
        changes: EpochChanges,
        piece: Option<&Piece>,
    ) -> Result<(Told, Option<LoadEpoch>)> {
        let served = Arc::clone(&self.served);
        let has_marts = self.marts.is_some();
        let mut told = Vec::new();
        let mut marts: Vec<(String, MartRows)> = Vec::new();
        for (name, delta) in changes.joined()?.changes {
            // A view that is new in this epoch and has just been given up is not among them.
            let Ok(view) = served.registry.get(&name) else { continue };
            let has_mart = has_marts && view.mart != Mart::None;
            if has_mart && view.mart == Mart::History {
                let (rows, weights) = (delta.batch.clone(), delta.weights.clone());
                marts.push((name.clone(), MartRows::Appended { rows, weights }));
            }
            let is_live = view.serve == Serve::Live;
            let is_current = has_mart && view.mart == Mart::Current;
            if !is_live && !is_current {
                continue;
            }
            let (upserts, deletes) = change::by_key(&delta, &view.key)?;
            if is_current {
                let (upserts, deletes) = (upserts.clone(), deletes.clone());
                marts.push((name.clone(), MartRows::Keyed { upserts, deletes }));
            }
            if let Some(index) = served.index(&name) {
                self.snapshots[index] = Some(self.engine.snapshot(&name)?);
                told.push((name, self.change_of(view, upserts, deletes)));
            }
        }
        let Some(piece) = piece.filter(|_| has_marts) else { return Ok((told, None)) };
        marts.extend(piece.tables.iter().map(|(name, rows)| {
            let rows = MartRows::Appended { rows: rows.clone(), weights: None };
            (format!("raw_{name}"), rows)
        }));
        let loaded = LoadEpoch {
            epoch: self.engine.epoch(),
            first_position: piece.first,
            position: piece.last,
            frontier: self.place.frontier.map(|(lsn, _)| lsn),
            as_of: self.place.as_of,
            changes: marts,
        };
        Ok((told, Some(loaded)))
    }

    fn change_of(
        &self,
        view: &View,
        upserts: arrow::array::RecordBatch,
        deletes: arrow::array::RecordBatch,
    ) -> ViewChange {
        let rows = upserts.num_rows() + deletes.num_rows();
        counter!("millrace_view_changed_rows_total", "view" => view.name.clone())
            .increment(rows as u64);
        ViewChange {
            epoch: self.engine.epoch(),
            position: self.place.cut.position,
            as_of: self.place.as_of,
            upserts,
            deletes,
        }
    }

    pub(super) fn publish(&mut self, changes: Told, oldest_event_at: Option<DateTime<Utc>>) {
        let published_at = (self.hub.options.clock)();
        // An event from a clock that is ahead of this one has no age yet.
        let age = |at: DateTime<Utc>| (published_at - at).to_std().unwrap_or_default();
        self.latency = oldest_event_at.map(age).or(self.latency);
        let next = Published {
            incarnation: self.incarnation,
            epoch: self.engine.epoch(),
            position: self.place.cut.position,
            frontier: self.place.frontier,
            as_of: self.place.as_of,
            applied: self.place.cut.applied,
            dead_lettered: self.place.cut.dead_lettered,
            published_at,
            latency: self.latency,
            served: Arc::clone(&self.served),
            snapshots: self.snapshots.clone(),
        };
        let was_rebuilding = self.is_rebuilding;
        self.is_rebuilding = self.hub.publish(next, changes, was_rebuilding);
    }

    fn note_stopped(&mut self, changes: &EpochChanges) {
        for stopped in &changes.stopped {
            tracing::error!(view = %stopped.view, reason = %stopped.reason, "a view has stopped");
            if let Some(index) = self.served.index(&stopped.view) {
                self.snapshots[index] = None;
            }
            let (view, reason) = (stopped.view.clone(), stopped.reason.clone());
            self.tell_stopped(StoppedViewStatus { view, reason });
        }
    }

    fn tell_stopped(&self, stopped: StoppedViewStatus) {
        self.hub.tell(|report| {
            if !report.stopped_views.contains(&stopped) {
                report.stopped_views.push(stopped);
            }
        });
    }

    fn observe(&self, epoch: &SourceEpoch, started: Instant) {
        histogram!("millrace_epoch_seconds").record(started.elapsed().as_secs_f64());
        histogram!("millrace_epoch_events").record(epoch.events() as f64);
        counter!("millrace_pipeline_events_total").increment(epoch.events() as u64);
        gauge!("millrace_pipeline_position").set(self.place.cut.position.0 as f64);
        if let Some(latency) = self.latency.filter(|_| epoch.oldest_event_at.is_some()) {
            gauge!("millrace_freshness_seconds").set(latency.as_secs_f64());
            histogram!("millrace_view_latency_seconds").record(latency.as_secs_f64());
        }
    }

    fn checkpoint_if_due(&mut self) -> Result<()> {
        let options = &self.hub.options;
        let is_old = self.checkpointed_at.elapsed() >= options.checkpoint_interval;
        let is_due = is_old || self.events_since >= options.checkpoint_events;
        if self.is_changed && (is_due || self.should_checkpoint) {
            self.checkpoint()?;
        }
        Ok(())
    }

    pub(super) fn checkpoint(&mut self) -> Result<()> {
        let started = Instant::now();
        let unsent = self.marts.as_ref().map(|marts| marts.loader.unsent()).unwrap_or_default();
        self.folder.checkpoint(&mut self.engine, &unsent, &self.definitions)?;
        if let Some(marts) = &mut self.marts {
            marts.journal.forget_before(marts.acknowledged_before)?;
            marts.acknowledged_before = marts.loader.acknowledged();
            self.folder.forget_sent(marts.acknowledged_before)?;
        }
        self.is_changed = false;
        self.should_checkpoint = false;
        self.events_since = 0;
        self.checkpointed_at = Instant::now();
        let duration = started.elapsed();
        histogram!("millrace_checkpoint_seconds").record(duration.as_secs_f64());
        let status = CheckpointStatus {
            epoch: self.engine.epoch(),
            position: self.place.cut.position,
            at: (self.hub.options.clock)(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        };
        self.hub.tell(|report| report.checkpoint = Some(status));
        Ok(())
    }
}
