//! What can go wrong.

use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refused a query.
    #[error(transparent)]
    Engine(#[from] millrace_engine::Error),
    /// The engine stopped a query while it ran.
    #[error("{query} stopped in epoch {epoch}: {reason}")]
    Stopped {
        /// The query.
        query: &'static str,
        /// Number of the epoch, from 1.
        epoch: u64,
        /// The engine's words.
        reason: String,
    },
    /// Batch SQL failed.
    #[error(transparent)]
    DataFusion(#[from] DataFusionError),
    /// Columns could not be made.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// A result has a column that fingerprints are not defined for.
    #[error(
        "column {column} is {data_type}, which has no fingerprint: give integers, floats, text, dates or timestamps"
    )]
    Column {
        /// Name of the column.
        column: String,
        /// Its type.
        data_type: DataType,
    },
}
