//! A view as a stream: a snapshot, then every change.

use std::sync::Arc;

use millrace_events::Position;
use tokio::sync::watch;

use super::StreamPlace;
use super::handle::ViewSnapshot;
use super::hub::{Hub, Published};
use super::served::SharedRing;
use crate::{Error, Result, View, ViewChange};

const RESTORED: &str = "the database was restored from a backup";

/// What a subscriber is told next.
#[derive(Clone, Debug)]
pub enum Update {
    /// All rows: what was known before is void.
    Snapshot(ViewSnapshot),
    Change(Arc<ViewChange>),
    /// Changes were missed; a snapshot follows.
    Reset {
        reason: &'static str,
    },
}

enum Next {
    Changes,
    Snapshot,
    Reset(&'static str),
}

/// A reader of one view's changes. It holds no queue of its own: one that reads too slowly is reset.
pub struct Subscription {
    hub: Arc<Hub>,
    view: Arc<View>,
    ring: SharedRing,
    watch: watch::Receiver<Option<Arc<Published>>>,
    /// Everything up to here has been told, in this life of the database.
    told: Position,
    incarnation: u32,
    next: Next,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Subscription");
        shown.field("view", &self.view.name).field("told", &self.told).finish_non_exhaustive()
    }
}

impl Subscription {
    pub(super) fn new(hub: Arc<Hub>, name: &str, from: Option<StreamPlace>) -> Result<Self> {
        let watch = hub.watch();
        let published = hub.latest()?;
        let view = Arc::clone(ViewSnapshot::of(&published, name)?.view());
        let index = published.served.index(name).expect("a view with a snapshot is served");
        let ring = Arc::clone(published.served.ring(index));
        let next = match from {
            None => Next::Snapshot,
            Some(from) if from.incarnation != published.incarnation => Next::Reset(RESTORED),
            Some(from) if from.position > published.position => {
                Next::Reset("the views are not as far as the stream was")
            }
            Some(from) if !ring.lock().can_resume(from.position) => {
                Next::Reset("changes since then are not retained any more")
            }
            Some(_) => Next::Changes,
        };
        let told = from.map_or(Position::START, |from| from.position);
        let incarnation = published.incarnation;
        Ok(Self { hub, view, ring, watch, told, incarnation, next })
    }

    /// The view as it was when this was opened, and is as long as there are updates.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// What is published, as long as the view is what it was.
    fn latest(&self) -> Result<Arc<Published>> {
        let published = self.hub.latest()?;
        let name = &self.view.name;
        let ring = published.served.index(name).map(|index| published.served.ring(index));
        match ring {
            Some(ring) if Arc::ptr_eq(ring, &self.ring) => Ok(published),
            _ => Err(Error::ViewChanged { name: name.clone() }),
        }
    }

    /// The life of the database that the last update was of.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The next update; waits while there is none. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Stopped`] once the pipeline has ended, [`Error::ViewStopped`] once the view has, and
    /// [`Error::ViewChanged`] once it was dropped or given another definition.
    pub async fn next(&mut self) -> Result<Update> {
        loop {
            match self.next {
                Next::Reset(reason) => {
                    self.next = Next::Snapshot;
                    return Ok(Update::Reset { reason });
                }
                Next::Snapshot => {
                    let published = self.latest()?;
                    let snapshot = ViewSnapshot::of(&published, &self.view.name)?;
                    self.told = published.position;
                    self.incarnation = published.incarnation;
                    self.next = Next::Changes;
                    return Ok(Update::Snapshot(snapshot));
                }
                Next::Changes => {}
            }
            self.watch.borrow_and_update();
            let change = self.ring.lock().after(self.told);
            // Asked afterwards: a new life is published before its first change.
            let published = self.latest()?;
            if published.incarnation != self.incarnation {
                self.next = Next::Reset(RESTORED);
                continue;
            }
            match change {
                None => self.next = Next::Reset("the reader fell behind what is retained"),
                Some(Some(change)) => {
                    self.told = change.position;
                    return Ok(Update::Change(change));
                }
                Some(None) => {
                    if let Some(stopped) = self.hub.is_stopped() {
                        return Err(stopped);
                    }
                    ViewSnapshot::of(&published, &self.view.name)?;
                    // The sender lives in the hub, which this subscription holds.
                    let _ = self.watch.changed().await;
                }
            }
        }
    }
}
