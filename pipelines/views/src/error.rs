//! What can go wrong with views and the pipeline, with the names to mend it.

use std::time::Duration;

use datafusion::error::DataFusionError;
use millrace_engine::{Fault, planning_fault};
use millrace_events::Position;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{file}, line {line}: {problem}")]
    Header { file: String, line: usize, problem: String },
    #[error("{file}: {problem}")]
    File { file: String, problem: String },
    #[error(
        "views read each other in a circle: {names}; break it by moving the shared part to one"
    )]
    Circle { names: String },
    #[error("{0}")]
    Plan(Box<Fault>),
    #[error("view {reader} reads {view} and does not go with its new definition: {source}")]
    Reader {
        view: String,
        reader: String,
        #[source]
        source: Box<Error>,
    },
    #[error("view {name} comes with Millrace and stays as it is: choose another name")]
    ProductView { name: String },
    #[error("there is a view called {name} already: replace it, or choose another name")]
    NameTaken { name: String },
    #[error("view {name} is read by {readers}: drop those first")]
    HasReaders { name: String, readers: String },
    #[error("view {name} was dropped or given another definition: ask for it again")]
    ViewChanged { name: String },
    #[error("view {name} has stopped: the status of the pipeline says why")]
    ViewStopped { name: String },
    #[error("view {name} is being filled from the log; it can be read once it has caught up")]
    Filling { name: String },
    #[error("view {name} could not be filled: {problem}")]
    NotFilled { name: String, problem: String },
    #[error("no view is called {name}; `millrace views list` shows all")]
    UnknownView { name: String },
    #[error("view {name} keeps no rows: its header says `serve: none`")]
    NotServed { name: String },
    #[error("view {view} is asked for a row by its whole key, {key}: name {missing} too")]
    KeyIncomplete { view: String, key: String, missing: String },
    #[error("another row is being looked into: ask again for view {view} when that is done")]
    Busy { view: String },
    #[error(
        "more than {most} events may be behind this row of view {view}: ask for a row of one of the views it reads"
    )]
    TooManyEvents { view: String, most: usize },
    #[error("{file}: {problem}")]
    Case { file: String, problem: String },
    #[error(
        "the views did not reach {wanted} within {waited_ms} ms; they are at position {position}: \
         read again later, or without waiting"
    )]
    FrontierTimeout { wanted: String, waited_ms: u128, position: Position },
    #[error("the pipeline has stopped: {reason}")]
    Stopped { reason: String },
    #[error("the feed of events failed: {reason}")]
    Feed { reason: String, retryable: bool },
    #[error("what the views were fed is not what counts any more: {reason}")]
    PastChanged { reason: String, incarnation: u32 },
    #[error("epoch {epoch} begins at position {first}, but the views are at {applied}: {problem}")]
    Order { epoch: u64, first: Position, applied: Position, problem: &'static str },
    #[error("checkpoint folder {path}: {source}")]
    Folder {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("{path} is damaged: {problem}")]
    Damaged { path: String, problem: String },
    #[error(
        "the log ends at position {end}, the views are at {position}: is it the log they were fed from?"
    )]
    LogTooShort { position: Position, end: Position },
    #[error(transparent)]
    Engine(#[from] millrace_engine::Error),
    #[error(transparent)]
    Olap(#[from] millrace_olap::Error),
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Error {
    /// A stable name for logs, metrics and problems.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header { .. } | Self::File { .. } | Self::Circle { .. } | Self::Plan(_) => {
                "view_definition"
            }
            Self::Reader { .. } => "view_reader",
            Self::ProductView { .. } => "view_of_product",
            Self::NameTaken { .. } => "view_name_taken",
            Self::HasReaders { .. } => "view_has_readers",
            Self::ViewChanged { .. } => "view_changed",
            Self::ViewStopped { .. } => "view_stopped",
            Self::Filling { .. } => "view_filling",
            Self::NotFilled { .. } => "view_not_filled",
            Self::UnknownView { .. } => "unknown_view",
            Self::NotServed { .. } => "view_not_served",
            Self::KeyIncomplete { .. } => "key_incomplete",
            Self::Busy { .. } => "busy",
            Self::TooManyEvents { .. } => "events_too_many",
            Self::Case { .. } => "view_test",
            Self::FrontierTimeout { .. } => "frontier_timeout",
            Self::Stopped { .. } => "pipeline_stopped",
            Self::Feed { .. } => "feed",
            Self::PastChanged { .. } => "past_changed",
            Self::Order { .. } => "epoch_order",
            Self::Folder { .. } => "checkpoint_folder",
            Self::Damaged { .. } => "checkpoint_damaged",
            Self::LogTooShort { .. } => "log_too_short",
            Self::Engine(error) => error.code(),
            Self::Olap(error) => error.code(),
            Self::DataFusion(_) | Self::Arrow(_) => "sql",
        }
    }

    /// Whether the same call may succeed later without anyone mending anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::FrontierTimeout { .. } | Self::LogTooShort { .. } | Self::Busy { .. } => true,
            Self::ViewChanged { .. } | Self::Filling { .. } => true,
            Self::Feed { retryable, .. } => *retryable,
            Self::Engine(error) => error.is_retryable(),
            Self::Olap(error) => error.is_retryable(),
            _ => false,
        }
    }

    /// The SQL of `view` can't be read or planned; `tables` are those it may read.
    pub(crate) fn plan(view: &str, sql: &str, tables: &[&str], error: &DataFusionError) -> Self {
        Self::Plan(Box::new(planning_fault(view, sql, tables, error)))
    }

    pub(crate) fn frontier_timeout(wanted: String, waited: Duration, position: Position) -> Self {
        Self::FrontierTimeout { wanted, waited_ms: waited.as_millis(), position }
    }
}
