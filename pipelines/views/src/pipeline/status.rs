//! How the pipeline is doing.

use chrono::{DateTime, Utc};
use millrace_events::{Lsn, Position};
use millrace_olap::LoaderStatus;
use serde::Serialize;

/// What the pipeline is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// Restoring a checkpoint.
    #[default]
    Starting,
    Running,
    /// Events can't be read at the moment; it tries again.
    Waiting {
        reason: String,
    },
    /// It ended and does not go on by itself.
    Stopped {
        reason: String,
    },
}

/// The newest checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckpointStatus {
    pub epoch: u64,
    pub position: Position,
    pub at: DateTime<Utc>,
    pub duration_ms: u64,
}

/// A view that can no longer be kept true; all others go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StoppedViewStatus {
    pub view: String,
    pub reason: String,
}

/// How far the pipeline is and how it is doing.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    #[serde(flatten)]
    pub state: State,
    pub epoch: u64,
    /// All events up to here are in the views.
    pub position: Position,
    pub frontier: Option<Lsn>,
    pub frontier_position: Option<Position>,
    pub as_of: Option<DateTime<Utc>>,
    /// The last position known to be in the log.
    pub log_end: Position,
    /// Events in the log that are not in the views yet.
    pub lag_events: u64,
    /// Age of the oldest event of the last epoch when it became visible.
    pub freshness_ms: Option<u64>,
    /// Events applied and events kept as dead letters; together they are `position`.
    pub applied: u64,
    pub dead_lettered: u64,
    pub checkpoint: Option<CheckpointStatus>,
    pub stopped_views: Vec<StoppedViewStatus>,
    /// None without marts.
    pub marts: Option<LoaderStatus>,
}

/// How far a view is that somebody defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum DefinitionState {
    Live,
    /// Others are filled first.
    Waiting,
    Filling {
        percent: u8,
    },
    /// It could not be filled, and what the view was before goes on; or it has stopped since.
    Failed {
        problem: String,
    },
}

/// A view that somebody defined while the system ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DefinitionStatus {
    pub name: String,
    /// What was asked for last.
    pub text: String,
    /// Where in the log, or from where on it is kept true.
    pub position: Position,
    /// Whether there is something to read: this definition, or the one before.
    pub is_served: bool,
    #[serde(flatten)]
    pub state: DefinitionState,
}
