//! What can go wrong between the pipeline and ClickHouse.

use millrace_events::Position;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("ClickHouse, {action}: {source}")]
    Clickhouse {
        action: String,
        #[source]
        source: clickhouse::error::Error,
    },
    #[error(
        "mart {mart}, column {column}: ClickHouse has no type for {data_type}; cast it in the view"
    )]
    Type { mart: String, column: String, data_type: String },
    #[error("mart {mart}: {problem}")]
    Columns { mart: String, problem: String },
    #[error("no mart is called {mart}")]
    UnknownMart { mart: String },
    #[error(
        "mart {mart} holds events up to position {held}, but the pipeline goes on from {from}: what \
         lies between must be replayed from the log"
    )]
    Behind { mart: String, held: Position, from: Position },
    #[error("the batch up to position {position} can't be noted before it is sent: {reason}")]
    BatchLog { position: Position, reason: String },
    #[error("unsent epochs: {problem}")]
    Damaged { problem: String },
    #[error("the loader has stopped")]
    Stopped,
    #[error("the loader has stopped: {reason}")]
    Failed { reason: String },
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
}

impl Error {
    /// A stable name for logs, metrics and status pages.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Clickhouse { .. } => "clickhouse",
            Self::Type { .. } | Self::Columns { .. } => "mart_columns",
            Self::UnknownMart { .. } => "unknown_mart",
            Self::Behind { .. } => "mart_behind",
            Self::BatchLog { .. } => "mart_batch_log",
            Self::Damaged { .. } => "mart_unsent_damaged",
            Self::Stopped | Self::Failed { .. } => "loader_stopped",
            Self::Arrow(_) => "columns",
        }
    }

    /// Whether the same call may succeed later without anyone mending anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Clickhouse { .. } | Self::BatchLog { .. })
    }
}
