//! What a relay tells about itself.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use millrace_events::{Lsn, Position};

use crate::{Error, LastEvent};

/// What the relay is doing.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Connecting, checking pair, slot and log.
    Starting,
    /// Not this relay's turn, or something has to be set up first; the error says what.
    Waiting(Arc<Error>),
    /// Holds the slot and sends.
    Leading,
    /// PostgreSQL or Kafka failed; it starts over on its own.
    Retrying(Arc<Error>),
    /// Ended: a person has to decide.
    Halted(Arc<Error>),
    /// Ended as asked.
    Stopped,
}

impl Phase {
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Waiting(_) => "waiting",
            Self::Leading => "leading",
            Self::Retrying(_) => "retrying",
            Self::Halted(_) => "halted",
            Self::Stopped => "stopped",
        }
    }

    #[must_use]
    pub fn error(&self) -> Option<&Arc<Error>> {
        match self {
            Self::Waiting(error) | Self::Retrying(error) | Self::Halted(error) => Some(error),
            Self::Starting | Self::Leading | Self::Stopped => None,
        }
    }

    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self, Self::Halted(_) | Self::Stopped)
    }
}

/// How far the relay is.
#[derive(Clone, Debug)]
pub struct Status {
    pub phase: Phase,
    pub incarnation: u32,
    /// Every event up to this position is acknowledged by Kafka.
    pub position: Position,
    /// Everything committed up to this LSN is among them.
    pub lsn: Lsn,
    /// The durable pair's LSN.
    pub durable: Lsn,
    /// The outbox row that has the durable pair's position.
    pub last_event: Option<LastEvent>,
    /// Up to where the slot was confirmed.
    pub confirmed: Lsn,
    pub events_in_flight: usize,
    /// WAL that PostgreSQL keeps for the slot.
    pub retained_bytes: u64,
    /// When the oldest event was committed that Kafka has not acknowledged.
    pub oldest_unsent_at: Option<DateTime<Utc>>,
    /// Why the lag or slot alarm is raised, if it is.
    pub alarm: Option<String>,
}

impl Status {
    pub(crate) fn starting() -> Self {
        Self {
            phase: Phase::Starting,
            incarnation: 0,
            position: Position::START,
            lsn: Lsn(0),
            durable: Lsn(0),
            last_event: None,
            confirmed: Lsn(0),
            events_in_flight: 0,
            retained_bytes: 0,
            oldest_unsent_at: None,
            alarm: None,
        }
    }
}
