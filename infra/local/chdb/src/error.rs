//! What can go wrong between us and the engine.

use std::path::PathBuf;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why the engine did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The library is missing, unreadable, or not the one this crate was written for.
    #[error("cannot use {path} as libchdb: {source}")]
    Load {
        /// The file.
        path: PathBuf,
        /// The loader's answer.
        source: libloading::Error,
    },
    /// The engine did not open its data folder.
    #[error(
        "the ClickHouse engine cannot open {data}: is another process using it, is the disk full?"
    )]
    Open {
        /// The data folder.
        data: PathBuf,
    },
    /// The engine refused a statement.
    #[error("{message}")]
    Query {
        /// ClickHouse's error code; 1002 (unknown) if the message holds none.
        code: u32,
        /// ClickHouse's message, `Code: N. DB::Exception: …`.
        message: String,
    },
    /// A path cannot be handed to C.
    #[error("the path {path} contains a NUL byte")]
    Path {
        /// The path.
        path: PathBuf,
    },
}

impl Error {
    /// From the engine's message.
    pub(crate) fn query(message: String) -> Self {
        /// ClickHouse's `UNKNOWN_EXCEPTION`.
        const UNKNOWN: u32 = 1002;
        let digits = message.strip_prefix("Code: ").and_then(|rest| rest.split('.').next());
        let code = digits.and_then(|digits| digits.parse().ok()).unwrap_or(UNKNOWN);
        Error::Query { code, message }
    }
}
