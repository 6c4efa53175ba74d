//! A view as a stream: a snapshot, then every change.

use std::sync::Arc;

use millrace_events::Position;
use tokio::sync::watch;

use super::StreamPlace;
use super::handle::ViewSnapshot;
use super::hub::{Hub, Published};
use crate::{Result, ViewChange};

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
    view: usize,
    name: String,
    watch: watch::Receiver<Option<Arc<Published>>>,
    /// Everything up to here has been told, in this life of the database.
    told: Position,
    incarnation: u32,
    next: Next,
}

impl std::fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Subscription");
        shown.field("view", &self.name).field("told", &self.told).finish_non_exhaustive()
    }
}

impl Subscription {
    pub(super) fn new(
        hub: Arc<Hub>,
        name: &str,
        view: usize,
        from: Option<StreamPlace>,
    ) -> Result<Self> {
        let watch = hub.watch();
        let published = hub.latest()?;
        let next = match from {
            None => Next::Snapshot,
            Some(from) if from.incarnation != published.incarnation => Next::Reset(RESTORED),
            Some(from) if from.position > published.position => {
                Next::Reset("the views are not as far as the stream was")
            }
            Some(from) if hub.change_after(view, from.position).is_none() => {
                Next::Reset("changes since then are not retained any more")
            }
            Some(_) => Next::Changes,
        };
        let told = from.map_or(Position::START, |from| from.position);
        let incarnation = published.incarnation;
        Ok(Self { hub, view, name: name.to_owned(), watch, told, incarnation, next })
    }

    /// The life of the database that the last update was of.
    #[must_use]
    pub fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The next update; waits while there is none. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`crate::Error::Stopped`] once the pipeline has ended.
    pub async fn next(&mut self) -> Result<Update> {
        loop {
            match self.next {
                Next::Reset(reason) => {
                    self.next = Next::Snapshot;
                    return Ok(Update::Reset { reason });
                }
                Next::Snapshot => {
                    let published = self.hub.latest()?;
                    self.told = published.position;
                    self.incarnation = published.incarnation;
                    self.next = Next::Changes;
                    return Ok(Update::Snapshot(ViewSnapshot::of(&published, self.view)));
                }
                Next::Changes => {}
            }
            self.watch.borrow_and_update();
            let change = self.hub.change_after(self.view, self.told);
            // Asked afterwards: a new life is published before its first change.
            if self.hub.latest()?.incarnation != self.incarnation {
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
                    // The sender lives in the hub, which this subscription holds.
                    let _ = self.watch.changed().await;
                }
            }
        }
    }
}
