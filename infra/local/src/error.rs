//! What can go wrong while the embedded parts start, run and stop.

use std::{io, path::PathBuf, time::Duration};

use crate::Part;

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an embedded part, or the whole stack, cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another process runs on this data directory.
    #[error(
        "another Millrace runs on {path} (its lock is held): stop it, or choose another data directory"
    )]
    DataDirInUse {
        /// The data directory.
        path: PathBuf,
    },
    /// A port that was asked for is taken by another program.
    #[error(
        "port {port} for {part} is taken by another program: free it, configure another port, or leave the choice to Millrace (port 0)"
    )]
    PortTaken {
        /// The part that wants it.
        part: Part,
        /// The TCP port on 127.0.0.1.
        port: u16,
    },
    /// No free port was found for a part.
    #[error("no free port found for {part} between {first} and {last}")]
    NoFreePort {
        /// The part that wants one.
        part: Part,
        /// First port tried.
        first: u16,
        /// Last port of the range.
        last: u16,
    },
    /// A program or library of a part is not where it should be.
    #[error("{part} cannot start: {path} is missing. {remedy}")]
    Missing {
        /// The part.
        part: Part,
        /// What was looked for.
        path: PathBuf,
        /// How to get it.
        remedy: &'static str,
    },
    /// A helper program ended with an error.
    #[error("{program} failed ({status}): {stderr}")]
    Program {
        /// Its name.
        program: String,
        /// Exit code or signal.
        status: String,
        /// The last lines it wrote.
        stderr: String,
    },
    /// A part did not become healthy in time.
    #[error("{part} was not ready after {waited:?}: {reason}. Its log is {log}")]
    NotReady {
        /// The part.
        part: Part,
        /// How long was waited.
        waited: Duration,
        /// The last probe's failure.
        reason: String,
        /// Its log file.
        log: PathBuf,
    },
    /// A running part did not answer its health check.
    #[error("{part} does not answer: {reason}")]
    Unhealthy {
        /// The part.
        part: Part,
        /// What the probe saw.
        reason: String,
    },
    /// A file of ours has content we cannot read.
    #[error(
        "{path} is damaged: {reason}. Restore it, or remove it together with the data directory"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// PostgreSQL refuses root, and no other user could be found.
    #[error(
        "PostgreSQL must not run as root and there is no user `millrace` or `nobody` to run it as: create one, run as an ordinary user, or set MILLRACE_POSTGRES_URL"
    )]
    NoUser,
    /// The URL of a server of one's own cannot be used.
    #[error("{variable} is not usable: {reason}")]
    Url {
        /// The environment variable or option.
        variable: &'static str,
        /// What is wrong; never the URL, which may hold a password.
        reason: String,
    },
    /// The supervisor's thread is gone.
    #[error("the supervisor has stopped")]
    Stopped,
}

impl Error {
    /// A closure for `map_err` on file operations.
    pub(crate) fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::File { action, path, source }
    }
}
