//! What everyone reads: the latest published epoch, recent changes, and the state of the pipeline.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_engine::Snapshot;
use millrace_events::{Lsn, Position};
use millrace_olap::Loader;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc, watch};

use super::definitions::Definitions;
use super::fill::Progress;
use super::run::Input;
use super::served::Served;
use super::status::{CheckpointStatus, State, StoppedViewStatus};
use super::{OpenFeed, PipelineOptions};
use crate::{Error, Result, ViewChange};

/// All live views as of one epoch, published at once.
#[derive(Clone, Debug)]
pub struct Published {
    /// The life of the database whose events these are.
    pub incarnation: u32,
    pub epoch: u64,
    /// All events up to here are included.
    pub position: Position,
    /// All commits up to the LSN are included: they have positions up to the one beside it.
    pub frontier: Option<(Lsn, Position)>,
    /// Commit time of the newest event included; none before the first event.
    pub as_of: Option<DateTime<Utc>>,
    /// Events up to the position that were applied, and those kept as dead letters.
    pub applied: u64,
    pub dead_lettered: u64,
    pub published_at: DateTime<Utc>,
    /// Age of the oldest event of the last epoch that had one, when that became visible.
    pub latency: Option<Duration>,
    pub(super) served: Arc<Served>,
    /// In the order of [`Served::live`]; none of a view that has stopped.
    pub(super) snapshots: Vec<Option<Arc<Snapshot>>>,
}

/// What readers are told of an epoch: changes of live views, by name.
pub(super) type Told = Vec<(String, ViewChange)>;

/// What the engine's thread tells about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub state: State,
    pub checkpoint: Option<CheckpointStatus>,
    pub log_end: Position,
    pub stopped_views: Vec<StoppedViewStatus>,
    pub definitions: Definitions,
    /// The definition that is being filled and how far it is.
    pub filling: Option<(String, Arc<Progress>)>,
}

/// Shared by the engine's thread and all handles.
pub(super) struct Hub {
    pub options: PipelineOptions,
    pub feeds: Arc<dyn OpenFeed>,
    /// The views from files, until an epoch tells of more.
    at_first: Arc<Served>,
    published: watch::Sender<Option<Arc<Published>>>,
    report: Mutex<Report>,
    pub loader: Mutex<Option<Loader>>,
    /// Where the engine's thread can be asked.
    pub asks: Mutex<Option<mpsc::WeakSender<Input>>>,
    pub stopping: watch::Sender<bool>,
    /// Taken while the log is read to explain a row.
    pub explaining: Semaphore,
}

impl Hub {
    pub fn new(options: PipelineOptions, feeds: Arc<dyn OpenFeed>) -> Self {
        let registry = options.registry.clone();
        let at_first = Served::new(&options, registry, &Definitions::default(), None);
        Self {
            feeds,
            at_first: Arc::new(at_first),
            published: watch::Sender::new(None),
            report: Mutex::new(Report::default()),
            loader: Mutex::new(None),
            asks: Mutex::new(None),
            stopping: watch::Sender::new(false),
            explaining: Semaphore::new(1),
            options,
        }
    }

    /// The latest epoch.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the pipeline ended before anything was published.
    pub fn latest(&self) -> Result<Arc<Published>> {
        let latest = self.published.borrow().clone();
        latest.ok_or_else(|| match self.report().state {
            State::Stopped { reason } => Error::Stopped { reason },
            _ => Error::Stopped { reason: "it has not published anything yet".to_owned() },
        })
    }

    /// The views as of the latest epoch.
    pub fn served(&self) -> Arc<Served> {
        let latest = self.published.borrow();
        Arc::clone(latest.as_ref().map_or(&self.at_first, |latest| &latest.served))
    }

    pub fn watch(&self) -> watch::Receiver<Option<Arc<Published>>> {
        self.published.subscribe()
    }

    /// Makes `next` what everyone reads, with the changes that lead to it from the epoch before.
    ///
    /// While views are rebuilt from the start of the log, readers keep what they have: nothing is
    /// published until the rebuilt views are as far, and then streams are reset.
    /// Gives whether the views are still being rebuilt.
    pub fn publish(&self, next: Published, changes: Told, is_rebuilding: bool) -> bool {
        let current = self.published.borrow().as_ref().map(|current| current.position);
        if current.is_some_and(|current| next.position < current) {
            return true;
        }
        if is_rebuilding {
            next.served.reset_rings(next.position);
        } else {
            for (view, change) in changes {
                if let Some(index) = next.served.index(&view) {
                    next.served.ring(index).lock().push(Arc::new(change));
                }
            }
        }
        self.published.send_replace(Some(Arc::new(next)));
        false
    }

    /// The database was restored: its LSNs don't compare with the frontier's any more.
    pub fn forget_frontier(&self) {
        self.published.send_if_modified(|published| {
            let Some(latest) = published else { return false };
            Arc::make_mut(latest).frontier = None;
            true
        });
    }

    pub fn report(&self) -> Report {
        self.report.lock().clone()
    }

    pub fn tell(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock());
    }

    /// The pipeline has ended; everyone who waits is told.
    pub fn stop(&self, reason: String) {
        self.tell(|report| report.state = State::Stopped { reason });
        self.published.send_modify(|_| ());
    }

    pub fn is_stopped(&self) -> Option<Error> {
        match &self.report.lock().state {
            State::Stopped { reason } => Some(Error::Stopped { reason: reason.clone() }),
            _ => None,
        }
    }
}
