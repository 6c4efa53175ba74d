//! What a source is opened with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::assemble::Size;
use crate::{Cut, DeadLetters, LogCopy};

/// Tells the time; handed in, so that tests and simulations decide what it is.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// What a source is opened with.
#[derive(Clone)]
pub struct SourceOptions {
    /// `host:port`, comma separated.
    pub kafka_brokers: String,
    /// Where to go on; [`Cut::default`] is the beginning.
    pub start: Cut,
    pub target: EpochTarget,
    pub buffer: BufferBounds,
    /// How long the broker may keep a request that finds nothing new. Apache Kafka answers as soon
    /// as something comes. The embedded broker instead looks again after half of the time that is
    /// left, so that a new message is seen within half of this, mostly sooner.
    pub fetch_wait: Duration,
    /// How many of the newest event ids are remembered to check copies against (16 bytes each). At
    /// the start they are read from the second copy; without one, as many messages of each partition
    /// are read again.
    pub remembered_events: usize,
    /// How long a missing position is waited for before the source gives up.
    pub gap_wait: Duration,
    /// How long to wait at the start for the broker to answer and the topics to exist.
    pub open_wait: Duration,
    pub dead_letters: DeadLetters,
    /// Where the second copy of the log goes; none is written without it.
    pub copy: Option<LogCopy>,
    pub clock: Clock,
}

impl SourceOptions {
    /// Options that suit a live pipeline, from the beginning of the log, without a second copy.
    #[must_use]
    pub fn new(kafka_brokers: impl Into<String>, dead_letters: DeadLetters, clock: Clock) -> Self {
        Self {
            kafka_brokers: kafka_brokers.into(),
            start: Cut::default(),
            target: EpochTarget::default(),
            buffer: BufferBounds::default(),
            fetch_wait: Duration::from_millis(10),
            remembered_events: 65_536,
            gap_wait: Duration::from_secs(30),
            open_wait: Duration::from_secs(60),
            dead_letters,
            copy: None,
            clock,
        }
    }
}

impl fmt::Debug for SourceOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceOptions")
            .field("kafka_brokers", &self.kafka_brokers)
            .field("start", &self.start)
            .field("target", &self.target)
            .field("buffer", &self.buffer)
            .field("fetch_wait", &self.fetch_wait)
            .field("remembered_events", &self.remembered_events)
            .field("gap_wait", &self.gap_wait)
            .field("open_wait", &self.open_wait)
            .field("dead_letters", &self.dead_letters)
            .field("copy", &self.copy)
            .finish_non_exhaustive()
    }
}

/// When an epoch is cut: at the first transaction end at which one of these is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochTarget {
    /// Since its first transaction was complete.
    pub interval: Duration,
    pub events_max: usize,
    /// Bytes of the events' JSON; more than 1 GiB counts as 1 GiB.
    pub bytes_max: usize,
}

/// A column of an epoch has offsets of 32 bits. An epoch may exceed this by one transaction, and no
/// transaction larger than this is decoded.
pub(crate) const EPOCH_BYTES_MAX: usize = (1 << 30) - 1;

impl EpochTarget {
    pub(crate) fn is_reached(&self, ready: Size) -> bool {
        ready.events >= self.events_max || ready.bytes >= self.bytes_max.min(EPOCH_BYTES_MAX)
    }
}

impl Default for EpochTarget {
    fn default() -> Self {
        Self { interval: Duration::from_millis(4), events_max: 65_536, bytes_max: 32 << 20 }
    }
}

/// How much may be held while a position is waited for; partitions that run further ahead are not
/// read until the others have caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferBounds {
    /// Positions past the last one passed.
    pub positions_max: usize,
    /// Bytes of the events' JSON. A transaction larger than this still passes.
    pub bytes_max: usize,
}

impl Default for BufferBounds {
    fn default() -> Self {
        Self { positions_max: 131_072, bytes_max: 64 << 20 }
    }
}
