//! What can be wrong with a trial's input.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not one query.
    #[error("the SQL has {count} statements: a view is one select")]
    Statements {
        /// How many there are.
        count: usize,
    },
    /// Two tables share a name.
    #[error("the table {table} is given twice: each name stands for one table")]
    TableTwice {
        /// The name.
        table: String,
    },
    /// A key column is not a column.
    #[error("the table {table} has no column {column} to be its key; it has: {columns}")]
    KeyColumn {
        /// The table.
        table: String,
        /// The missing column.
        column: String,
        /// Those there are.
        columns: String,
    },
    /// A key is not unique.
    #[error(
        "the table {table} has two rows with the key ({key}) = ({value}): name all key columns, or none"
    )]
    DuplicateKey {
        /// The table.
        table: String,
        /// The key columns.
        key: String,
        /// The key that repeats.
        value: String,
    },
    /// A setting is out of range.
    #[error("{setting} must be {allowed}, not {given}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its range.
        allowed: &'static str,
        /// What was given.
        given: String,
    },
    /// The view stopped in a trial that does not verify.
    #[error("the view stopped in epoch {epoch} (seed {seed}): {reason}")]
    Stopped {
        /// The epoch.
        epoch: u64,
        /// The seed of the script.
        seed: u64,
        /// What the engine says.
        reason: String,
    },
    /// The engine refused a declaration or an epoch.
    #[error(transparent)]
    Engine(#[from] millrace_engine::Error),
    /// Batch SQL failed outside a comparison.
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
    /// Arrow failed.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}
