//! What is known about the running parts, for `doctor` and for tests.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::Part;

/// Where a part is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Being prepared, started or waited for.
    Starting,
    /// Answers its health check.
    Running,
    /// Ended by itself or did not answer; will be started again.
    Restarting,
    /// Ended on request.
    Stopped,
    /// A server of the user's own, not ours to watch.
    External,
}

/// State of one part.
#[derive(Debug, Clone)]
pub struct PartStatus {
    /// Where it is in its life.
    pub state: State,
    /// Its process, while there is one of ours.
    pub pid: Option<u32>,
    /// Its port on 127.0.0.1, if embedded.
    pub port: Option<u16>,
    /// How often it had to be started again.
    pub restarts: u32,
    /// Why it had to be, the last time.
    pub last_error: Option<String>,
    /// Its log file, if embedded.
    pub log: Option<PathBuf>,
}

/// Shared between the supervisor's thread and its owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct Board(Arc<Mutex<BTreeMap<Part, PartStatus>>>);

impl Board {
    /// Changes a part's entry.
    pub(crate) fn update(&self, part: Part, change: impl FnOnce(&mut PartStatus)) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(parts.entry(part).or_insert_with(|| PartStatus {
            state: State::Starting,
            pid: None,
            port: None,
            restarts: 0,
            last_error: None,
            log: None,
        }));
    }

    /// All entries.
    pub(crate) fn read(&self) -> BTreeMap<Part, PartStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
