//! Everything that can go wrong, with the names a user needs to mend it.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use crate::Fault;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A name is declared twice.
    #[error("{name} is already a relation or a view: choose another name")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A declaration cannot work.
    #[error("{0}")]
    Definition(Box<Fault>),
    /// A view's SQL does not parse or plan.
    #[error("{fault}")]
    Plan {
        /// What is wrong, and where.
        fault: Box<Fault>,
        /// What DataFusion said; the fault tells it in other words.
        cause: Box<DataFusionError>,
    },
    /// A view uses SQL that is not kept incrementally, or that no view may use.
    #[error("{0}")]
    Unsupported(Box<Fault>),
    /// A view would need rows of a relation that passed before it existed.
    #[error(
        "view {view}: {relation} has already been fed and keeps no rows to fill the view from; \
         create the view before the first epoch, or replay from the start"
    )]
    HistoryGone {
        /// The view.
        view: String,
        /// The relation.
        relation: String,
    },
    /// No such relation.
    #[error("no relation is called {name}")]
    UnknownRelation {
        /// The name asked for.
        name: String,
    },
    /// No such view.
    #[error("no view is called {name}")]
    UnknownView {
        /// The name asked for.
        name: String,
    },
    /// The view keeps no rows.
    #[error("view {name} keeps no rows; declare it with materialize = true to take snapshots")]
    NotMaterialized {
        /// The view.
        name: String,
    },
    /// The view can no longer be kept true.
    #[error("view {view} has stopped: {reason}")]
    Stopped {
        /// The view.
        view: String,
        /// What went wrong.
        reason: String,
    },
    /// An epoch does not fit the declarations. Nothing of it has been applied.
    #[error("epoch {epoch}, input {relation}: {problem}")]
    Input {
        /// Number of the epoch.
        epoch: u64,
        /// The relation fed.
        relation: String,
        /// What is wrong with the batch.
        problem: String,
    },
    /// An epoch does not follow the one before.
    #[error("epoch {given} does not follow epoch {last}: numbers must rise")]
    EpochOrder {
        /// The number given.
        given: u64,
        /// The last one applied.
        last: u64,
    },
    /// A row was taken back that is not there.
    #[error("{place}: a row was taken back that is not there: {row}")]
    MissingRow {
        /// Which state was to change.
        place: String,
        /// The row.
        row: String,
    },
    /// Two rows share a key that should be unique.
    #[error(
        "two rows share the key ({key}): {row}; add columns to the view's key or aggregate by it"
    )]
    DuplicateKey {
        /// Names of the key columns.
        key: String,
        /// The second row.
        row: String,
    },
    /// The view is read by others.
    #[error("view {view} is read by {readers}: drop those first")]
    HasReaders {
        /// The view.
        view: String,
        /// Names of the views that read it.
        readers: String,
    },
    /// A view that reads a replaced one does not go with the new definition.
    #[error("view {reader} reads {view} and does not go with its new definition: {source}")]
    Reader {
        /// The view that was to be replaced.
        view: String,
        /// The view that reads it.
        reader: String,
        /// Why it does not.
        source: Box<Error>,
    },
    /// The view is not there yet.
    #[error(
        "view {view} is being filled: {rows_waiting} rows wait to be taken in; try again after the next epochs"
    )]
    Filling {
        /// The view.
        view: String,
        /// Rows that new views have yet to take in.
        rows_waiting: usize,
    },
    /// The engine that a view was filled by stands elsewhere.
    #[error(
        "view {view} was filled by an engine at another cut or time; step it to this engine's first"
    )]
    Apart {
        /// The view.
        view: String,
    },
    /// The threads of the workers cannot be had.
    #[error("{workers} workers cannot be started: {source}; ask for fewer")]
    Threads {
        /// Workers asked for.
        workers: usize,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A query that is run again with each change has come to read too much.
    #[error(
        "a query that is run again with each change reads {rows} rows, more than the {rows_max} allowed; \
         `explain` says why it is: write it so that it is kept, or raise recompute_rows_max"
    )]
    TooLarge {
        /// Rows its inputs hold.
        rows: usize,
        /// Rows allowed.
        rows_max: usize,
    },
    /// What all views keep together has outgrown its limit.
    #[error(
        "all views keep {kept} bytes together, more than the {max} allowed, and this one needs most: {own}, \
         {operator_bytes} of them in {operator}; keep fewer rows or columns in it, or raise state_bytes_max"
    )]
    OverLimit {
        /// Bytes kept by all views.
        kept: usize,
        /// Bytes allowed.
        max: usize,
        /// Bytes kept by the operators of the view, shared ones included.
        own: usize,
        /// The operator of the view that keeps most.
        operator: String,
        /// Bytes it keeps.
        operator_bytes: usize,
    },
    /// A join gives too much at once.
    #[error(
        "a join gives more than the {max} bytes allowed in one epoch; join on columns that match fewer rows, \
         or raise state_bytes_max"
    )]
    TooMuchOutput {
        /// Bytes allowed.
        max: usize,
    },
    /// An expression failed on data.
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
    /// A columnar operation failed.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// The checkpoint store failed.
    #[error("checkpoint store, {name}: {source}")]
    Store {
        /// The file.
        name: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A checkpoint file does not hold what was written.
    #[error("checkpoint file {name} is damaged: {problem}")]
    Damaged {
        /// The file.
        name: String,
        /// What does not fit.
        problem: String,
    },
    /// No checkpoint can be read.
    #[error(
        "none of the {count} checkpoints can be read; replay from the start. Last problem: {last}"
    )]
    NoUsableCheckpoint {
        /// How many were tried.
        count: usize,
        /// Why the last one failed.
        last: Box<Error>,
    },
    /// The checkpoint holds no state for a view.
    #[error(
        "view {view} is new or changed since the checkpoint and reads {relation}, which keeps no rows to \
         fill it from; replay from the start to fill it"
    )]
    StateMissing {
        /// The view.
        view: String,
        /// The relation.
        relation: String,
    },
}

impl Error {
    /// What is wrong with the text of a view, where this tells of one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Plan { fault, .. } | Self::Definition(fault) | Self::Unsupported(fault) => {
                Some(fault)
            }
            Self::Reader { source, .. } => source.fault(),
            _ => None,
        }
    }

    /// A stable name for the kind of error, for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NameTaken { .. } => "name_taken",
            Self::Definition(_) => "definition",
            Self::Plan { .. } => "plan",
            Self::Unsupported(_) => "unsupported",
            Self::HistoryGone { .. } => "history_gone",
            Self::UnknownRelation { .. } => "unknown_relation",
            Self::UnknownView { .. } => "unknown_view",
            Self::NotMaterialized { .. } => "not_materialized",
            Self::Stopped { .. } => "stopped",
            Self::Input { .. } => "input",
            Self::EpochOrder { .. } => "epoch_order",
            Self::MissingRow { .. } => "missing_row",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::HasReaders { .. } => "has_readers",
            Self::Reader { .. } => "reader",
            Self::Filling { .. } => "filling",
            Self::Apart { .. } => "apart",
            Self::Threads { .. } => "threads",
            Self::TooLarge { .. } => "too_large",
            Self::OverLimit { .. } => "over_limit",
            Self::TooMuchOutput { .. } => "too_much_output",
            Self::DataFusion(_) => "expression",
            Self::Arrow(_) => "columns",
            Self::Store { .. } => "store",
            Self::Damaged { .. } => "damaged",
            Self::NoUsableCheckpoint { .. } => "no_usable_checkpoint",
            Self::StateMissing { .. } => "state_missing",
        }
    }

    /// The view whose definition is to blame.
    pub fn view(&self) -> Option<&str> {
        match self {
            Self::Plan { fault, .. } | Self::Definition(fault) | Self::Unsupported(fault) => {
                fault.view()
            }
            Self::HistoryGone { view, .. } | Self::StateMissing { view, .. } => Some(view),
            Self::Reader { reader, .. } => Some(reader),
            _ => None,
        }
    }

    /// Whether a view, or one that reads it, needs rows that have passed: [`crate::Engine::adopt_view`] brings them.
    pub fn is_history_gone(&self) -> bool {
        match self {
            Self::HistoryGone { .. } => true,
            Self::Reader { source, .. } => source.is_history_gone(),
            _ => false,
        }
    }

    /// Whether the same call may succeed later without anyone mending anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Store { .. } | Self::Filling { .. })
    }
}
