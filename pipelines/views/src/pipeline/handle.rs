//! What the rest of the system sees of a pipeline.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_engine::{Explain, Snapshot};
use millrace_events::{Position, Token};
use millrace_olap::Loader;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::hub::Hub;
use super::run::Input;
use super::{DefinitionState, Published, Status, StreamPlace, Subscription};
use crate::{Error, Registry, Result, View};

/// What a read waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A write, by the token it returned.
    Token(Token),
    Position(Position),
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => write!(formatter, "token {token}"),
            Self::Position(position) => write!(formatter, "position {position}"),
        }
    }
}

/// The rows of a view and the moment they belong to.
#[derive(Clone, Debug)]
pub struct ViewSnapshot {
    pub snapshot: Arc<Snapshot>,
    /// The life of the database whose events these are.
    pub incarnation: u32,
    pub epoch: u64,
    /// All events up to here are included.
    pub position: Position,
    /// Commit time of the newest event included, in any view; none before the first event.
    pub as_of: Option<DateTime<Utc>>,
    view: Arc<View>,
}

impl ViewSnapshot {
    pub(super) fn of(published: &Published, name: &str) -> Result<Self> {
        let served = &published.served;
        let index = served.index(name).ok_or_else(|| match served.registry.get(name) {
            Ok(_) => Error::NotServed { name: name.to_owned() },
            Err(unknown) => unknown,
        })?;
        let snapshot = published.snapshots[index].clone();
        let snapshot = snapshot.ok_or_else(|| Error::ViewStopped { name: name.to_owned() })?;
        Ok(Self {
            view: Arc::clone(served.view(index)),
            snapshot,
            incarnation: published.incarnation,
            epoch: published.epoch,
            position: published.position,
            as_of: published.as_of,
        })
    }

    /// The view as it was defined then.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }
}

/// A running pipeline. Cheap to clone; all clones are the same pipeline.
#[derive(Clone)]
pub struct PipelineHandle {
    pub(super) hub: Arc<Hub>,
    pub(super) task: Arc<parking_lot::Mutex<Option<JoinHandle<()>>>>,
}

impl fmt::Debug for PipelineHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PipelineHandle").field("state", &self.hub.report().state).finish()
    }
}

impl PipelineHandle {
    /// Every view, served or not, each behind those it reads.
    #[must_use]
    pub fn views(&self) -> Vec<Arc<View>> {
        self.registry().views().to_vec()
    }

    /// The views as of the latest epoch, those defined since the start included.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.hub.served().registry)
    }

    /// The latest epoch: position, frontier and time for all views.
    ///
    /// # Errors
    /// [`Error::Stopped`] when nothing has been published.
    pub fn published(&self) -> Result<Arc<Published>> {
        self.hub.latest()
    }

    /// The rows of a live view.
    ///
    /// # Errors
    /// [`Error::UnknownView`], [`Error::NotServed`], [`Error::Filling`], [`Error::NotFilled`],
    /// [`Error::ViewStopped`], [`Error::Stopped`].
    pub fn snapshot(&self, name: &str) -> Result<ViewSnapshot> {
        let published = self.hub.latest()?;
        ViewSnapshot::of(&published, name).map_err(|error| self.explain_missing(name, error))
    }

    /// A view as it stands.
    ///
    /// # Errors
    /// [`Error::UnknownView`]; [`Error::Filling`] and [`Error::NotFilled`] for one that somebody defined and that is
    /// not there yet.
    pub fn view(&self, name: &str) -> Result<Arc<View>> {
        let found = self.registry().get(name).map(Arc::clone);
        found.map_err(|error| self.explain_missing(name, error))
    }

    /// Why a view that was asked for can't be had.
    fn explain_missing(&self, name: &str, error: Error) -> Error {
        match error {
            Error::UnknownView { .. } => {
                match self.definition(name).ok().map(|known| known.state) {
                    Some(DefinitionState::Failed { problem }) => {
                        Error::NotFilled { name: name.to_owned(), problem }
                    }
                    Some(_) => Error::Filling { name: name.to_owned() },
                    None => error,
                }
            }
            Error::ViewStopped { .. } => {
                let stopped =
                    self.hub.report().stopped_views.into_iter().map(|stopped| stopped.view);
                match stopped.into_iter().any(|stopped| stopped == name) {
                    true => error,
                    false => Error::Filling { name: name.to_owned() },
                }
            }
            other => other,
        }
    }

    /// The changes of a live view: behind `from` while they are retained, else after a reset and a
    /// snapshot; a snapshot first where there is no `from`.
    ///
    /// # Errors
    /// As [`Self::snapshot`].
    pub fn subscribe(&self, name: &str, from: Option<StreamPlace>) -> Result<Subscription> {
        let subscription = Subscription::new(Arc::clone(&self.hub), name, from);
        subscription.map_err(|error| self.explain_missing(name, error))
    }

    /// Waits until the views include `target`, and gives the epoch that does.
    ///
    /// # Errors
    /// [`Error::FrontierTimeout`], [`Error::Stopped`].
    pub async fn wait_for(&self, target: Target, timeout: Duration) -> Result<Arc<Published>> {
        let mut watch = self.hub.watch();
        let reached = async {
            loop {
                let latest = watch.borrow_and_update().clone();
                if let Some(latest) = latest.filter(|latest| includes(latest, target)) {
                    return Ok(latest);
                }
                if let Some(stopped) = self.hub.is_stopped() {
                    return Err(stopped);
                }
                // The sender lives in the hub, which this handle holds.
                let _ = watch.changed().await;
            }
        };
        match tokio::time::timeout(timeout, reached).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let position = self.hub.latest().map(|latest| latest.position).unwrap_or_default();
                Err(Error::frontier_timeout(target.to_string(), timeout, position))
            }
        }
    }

    #[must_use]
    pub fn status(&self) -> Status {
        let report = self.hub.report();
        let latest = self.hub.latest().ok();
        let position = latest.as_ref().map(|latest| latest.position).unwrap_or_default();
        let frontier = latest.as_ref().and_then(|latest| latest.frontier);
        Status {
            state: report.state,
            epoch: latest.as_ref().map_or(0, |latest| latest.epoch),
            position,
            frontier: frontier.map(|(lsn, _)| lsn),
            frontier_position: frontier.map(|(_, position)| position),
            as_of: latest.as_ref().and_then(|latest| latest.as_of),
            log_end: report.log_end.max(position),
            lag_events: report.log_end.0.saturating_sub(position.0),
            freshness_ms: latest.as_ref().and_then(|latest| latest.latency).map(millis),
            applied: latest.as_ref().map_or(0, |latest| latest.applied),
            dead_lettered: latest.as_ref().map_or(0, |latest| latest.dead_lettered),
            checkpoint: report.checkpoint,
            stopped_views: report.stopped_views,
            marts: self.loader().map(|loader| loader.status()),
        }
    }

    /// The mart loader, where marts are kept.
    #[must_use]
    pub fn loader(&self) -> Option<Loader> {
        self.hub.loader.lock().clone()
    }

    async fn ask<T>(
        &self,
        question: impl FnOnce(oneshot::Sender<Result<T>>) -> Input,
    ) -> Result<T> {
        let stopped = || {
            self.hub.is_stopped().unwrap_or(Error::Stopped { reason: "it is starting".to_owned() })
        };
        let (answer, answered) = oneshot::channel();
        let asks = self.hub.asks.lock().as_ref().and_then(mpsc::WeakSender::upgrade);
        let asks = asks.ok_or_else(stopped)?;
        asks.send(question(answer)).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// The operators of a view with class, state and work.
    ///
    /// # Errors
    /// [`Error::UnknownView`], [`Error::Stopped`].
    pub async fn explain(&self, name: &str) -> Result<Explain> {
        let name = self.view(name)?.name.clone();
        self.ask(|answer| Input::Explain(name, answer)).await
    }

    /// Takes a checkpoint now.
    ///
    /// # Errors
    /// The folder can't be written, or [`Error::Stopped`].
    pub async fn checkpoint(&self) -> Result<()> {
        self.ask(Input::Checkpoint).await
    }

    /// Stops: marts are sent what is queued, a checkpoint is taken.
    pub async fn shutdown(&self) {
        self.hub.stopping.send_replace(true);
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "the pipeline ended badly");
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn includes(published: &Published, target: Target) -> bool {
    match target {
        Target::Position(position) => published.position >= position,
        Target::Token(token) => published.frontier.is_some_and(|(lsn, _)| lsn >= token.0),
    }
}
