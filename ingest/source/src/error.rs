//! What stops a source.

use std::time::Duration;

use millrace_events::Position;
use uuid::Uuid;

/// Why the source stopped or could not start. An event that can't be decoded is none of these: it
/// becomes a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "the log can't be read from {brokers}: {reason}. Check that the broker runs and MILLRACE_KAFKA_BROKERS names it"
    )]
    Broker { brokers: String, reason: String },
    #[error(
        "topic {topic} does not exist on {brokers} after {waited:?}: start the relay, which creates it"
    )]
    NoTopic { topic: String, brokers: String, waited: Duration },
    #[error(
        "the cut knows {known} partitions of {topic}, the broker has {found}: partitions can be added, never taken away"
    )]
    Partitions { topic: String, known: usize, found: usize },
    #[error(
        "position {missing} is missing: it did not arrive within {waited:?}, though the log goes on to {seen}. Check the relay (millrace doctor, OUT-3); the source goes on where it stopped once the position is there"
    )]
    Gap { missing: Position, seen: Position, waited: Duration },
    #[error(
        "two different events claim position {position}: {known} and, at {place}, {found}. Nothing was passed on; compare the relay's state with the log before starting again"
    )]
    CopyDiffers { position: Position, known: Uuid, found: Uuid, place: String },
    #[error(
        "event {event_id} at {place} claims position {position}, which was passed long ago and can't be checked: the oldest remembered position is {oldest}. Open the source with the second copy of the log, or with more remembered events"
    )]
    CopyTooOld { position: Position, event_id: Uuid, place: String, oldest: Position },
    #[error(
        "the event at position {position} is number {number} of {size} of its transaction, after number {before} of {before_size}: the relay's headers are damaged"
    )]
    Transaction { position: Position, number: u32, size: u32, before: u32, before_size: u32 },
    #[error(
        "the database was restored from a backup (it is in incarnation {incarnation}, the cut in {known}): what was passed may hold events that it does not have. Start over from the beginning of the log"
    )]
    NewIncarnation { known: u32, incarnation: u32 },
    #[error(
        "the log has events, but the relay does not tell whether the database has them all: its control topic has nothing of incarnation {known} or a later one. The source goes on once the relay leads"
    )]
    NoFrontier { known: u32 },
    #[error("object {path} can't be {action}")]
    Store {
        path: String,
        action: &'static str,
        #[source]
        source: object_store::Error,
    },
    #[error(
        "{path} is not a file of the log's second copy: {reason}. Move it away; it is written again from the log"
    )]
    CopyDamaged { path: String, reason: String },
    #[error("dead letter {id} does not exist: list them to see which do")]
    NoDeadLetter { id: Position },
    #[error(
        "dead letter {id} can't be replayed: the database was restored from a backup that does not have its events; enter again what they stand for"
    )]
    Orphaned { id: Position },
    #[error("the file of dead letter {id} can't be read: {reason}")]
    DeadLetterDamaged { id: Position, reason: String },
    #[error("{path}, a message that is no event, can't be read: {reason}; move it away")]
    ForeignDamaged { path: String, reason: String },
    #[error("dead letter {id} was not taken by its service: {reason}")]
    Replay { id: Position, reason: String },
    #[error("decoded columns of {table} don't fit its schema")]
    Schema {
        table: String,
        #[source]
        source: arrow::error::ArrowError,
    },
    #[error("the source was closed")]
    Closed,
}

impl Error {
    /// A short name that stays the same, for metrics and status pages.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Broker { .. } => "source_broker",
            Self::NoTopic { .. } => "source_no_topic",
            Self::Partitions { .. } => "source_partitions",
            Self::Gap { .. } => "source_gap",
            Self::CopyDiffers { .. } => "source_copy_differs",
            Self::CopyTooOld { .. } => "source_copy_too_old",
            Self::Transaction { .. } => "source_transaction",
            Self::NoFrontier { .. } => "source_no_frontier",
            Self::NewIncarnation { .. } => "source_new_incarnation",
            Self::Store { .. } => "source_store",
            Self::CopyDamaged { .. } => "source_copy_damaged",
            Self::NoDeadLetter { .. } => "source_no_dead_letter",
            Self::Orphaned { .. } => "source_orphaned",
            Self::DeadLetterDamaged { .. } => "source_dead_letter_damaged",
            Self::ForeignDamaged { .. } => "source_foreign_damaged",
            Self::Replay { .. } => "source_replay",
            Self::Schema { .. } => "source_schema",
            Self::Closed => "source_closed",
        }
    }

    /// Whether opening again from the last cut may succeed without anyone mending anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            Self::Broker { .. }
                | Self::NoTopic { .. }
                | Self::Gap { .. }
                | Self::NoFrontier { .. }
                | Self::Store { .. }
                | Self::Replay { .. }
        )
    }
}
