//! What the supervisor needs to know of a part.

use std::{path::PathBuf, time::Duration};

use nix::sys::signal::Signal;

use super::Launch;
use crate::{Part, Result};

/// Why a part is not ready.
#[derive(Debug)]
pub(crate) enum Unready {
    /// It answers, and asks for patience: it recovers, or all its connections are taken.
    Busy(String),
    /// It gives no answer that a healthy one would.
    Silent(String),
}

/// One embedded server.
pub(crate) trait Component {
    /// Which one it is.
    fn part(&self) -> Part;

    /// Makes everything ready for a start: files, configuration, no leftovers of an earlier life.
    /// `first` until it has run once; only then may its port change.
    async fn prepare(&mut self, first: bool) -> Result<()>;

    /// The process to start.
    fn launch(&self) -> Launch;

    /// Asks the running server something that only a healthy one can answer.
    async fn probe(&self) -> Result<(), Unready>;

    /// The port it listens on, once prepared.
    fn port(&self) -> u16;

    /// Whether another port may be taken when this one turns out to be in use.
    fn may_move(&self) -> bool;

    /// Its log file.
    fn log(&self) -> PathBuf;

    /// Signals that end it, with the time each is given, gentle ones first. `SIGKILL` follows.
    fn farewell(&self) -> &'static [(Signal, Duration)];

    /// The signal that ends it at once with nothing acknowledged lost.
    fn halt(&self) -> Signal;
}
