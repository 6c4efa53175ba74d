//! What stops or delays the relay, and what to do about it.

use std::path::PathBuf;

use millrace_events::{EventId, Lsn, Position};
use pgwire_replication::PgWireError;
use rdkafka::error::KafkaError;

/// What the relay does after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Another relay leads, or something has to be set up first: ask again at a steady pace.
    Wait,
    /// PostgreSQL or Kafka failed: start over with exponential back-off.
    Backoff,
    /// Only a person can tell what is right.
    Halt,
}

/// Why the relay is not relaying.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "{path}: another relay holds this state directory; this one takes over when it has ended"
    )]
    StateLocked { path: PathBuf },
    #[error("{path}: can't {doing}; check the disk and the directory's owner")]
    State {
        path: PathBuf,
        doing: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{path} is damaged ({detail}); restore it, or move it away and run `millrace relay recover lost-slot`"
    )]
    StateCorrupt { path: PathBuf, detail: String },
    #[error(
        "the PostgreSQL address can't be used: {detail}; write it as postgres://user:password@host:port/database"
    )]
    Address { detail: String },
    #[error("PostgreSQL: can't {doing}")]
    Postgres {
        doing: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("PostgreSQL: replication failed")]
    Replication(#[source] PgWireError),
    #[error(
        "the change stream stands still at {received} while PostgreSQL writes on; the connection is made anew"
    )]
    StreamStalled { received: Lsn },
    #[error("PostgreSQL {version_num} is too old: the relay needs version 17 or newer")]
    Version { version_num: i32 },
    #[error("publication {publication} does not exist yet; run `millrace migrate`")]
    PublicationMissing { publication: String },
    #[error(
        "publication {publication} must publish inserts through the partition root; run `alter publication {publication} set (publish = 'insert', publish_via_partition_root = true)`"
    )]
    PublicationWrong { publication: String },
    #[error("slot {slot} is held by another relay; this one takes over when it has ended")]
    SlotBusy { slot: String },
    #[error(
        "slot {slot} is missing, but events up to position {position} were sent; run `millrace relay recover lost-slot`"
    )]
    SlotMissing { slot: String, position: Position },
    #[error("slot {slot} was invalidated ({reason}); run `millrace relay recover lost-slot`")]
    SlotInvalidated { slot: String, reason: String },
    #[error(
        "slot {slot} belongs to plugin {plugin} in database {database}; give the relay a slot of its own"
    )]
    SlotForeign { slot: String, plugin: String, database: String },
    #[error(
        "slot {slot} is confirmed up to {confirmed}, beyond the durable pair at {durable}: events in between may never have been sent; run `millrace relay recover lost-slot`"
    )]
    SlotAhead { slot: String, confirmed: Lsn, durable: Lsn },
    #[error(
        "PostgreSQL's system id is {found}, the pair's is {expected}: this is another server; connect to the right one, or run `millrace relay recover new-incarnation`"
    )]
    ServerReplaced { expected: String, found: String },
    #[error(
        "PostgreSQL is on timeline {found}, the pair on {expected}, and slot {slot} was not synced from the former primary; run `millrace relay recover new-incarnation`"
    )]
    TimelineChanged { slot: String, expected: u32, found: u32 },
    #[error(
        "PostgreSQL's log ends at {flushed}, before the durable pair at {durable}: the database was restored from a backup; run `millrace relay recover new-incarnation`"
    )]
    ServerRestored { flushed: Lsn, durable: Lsn },
    #[error(
        "event {event_id} was sent as position {position}, but {schema}.outbox does not have it: the database was restored from a backup; run `millrace relay recover new-incarnation`"
    )]
    EventGone { schema: String, event_id: EventId, position: Position },
    #[error(
        "the log's newest event, at position {position}, is in no outbox: the database was restored from a backup; run `millrace relay recover new-incarnation`"
    )]
    TailGone { position: Position },
    #[error(
        "no pair in {path}, but the log has events up to position {position}; restore relay.json, or run `millrace relay recover lost-slot`"
    )]
    PairMissing { path: PathBuf, position: Position },
    #[error(
        "copies disagree at position {position}: the log has event {logged} there, PostgreSQL {outbox}; keep both as they are and run `millrace doctor`, then `millrace relay recover new-incarnation`"
    )]
    CopiesDisagree { position: Position, logged: EventId, outbox: String },
    #[error(
        "{topic}/{partition} offset {offset} should hold position {expected}, but holds {found}: this is not the log that the pair was written for; check the broker's address, or run `millrace relay recover new-incarnation`"
    )]
    LogForeign { topic: String, partition: i32, offset: i64, expected: Position, found: String },
    #[error(
        "{topic}/{partition} lost events up to position {position}, and the slot only has what came after {confirmed}; run `millrace relay recover lost-slot`"
    )]
    LogLost { topic: String, partition: i32, position: Position, confirmed: Lsn },
    #[error("the change stream at {lsn} can't be read: {detail}")]
    Decode { lsn: Lsn, detail: String },
    #[error(
        "transaction {xid} appended more than {limit} to the outbox; raise {setting} and start again"
    )]
    TransactionTooLarge { xid: u32, limit: usize, setting: &'static str },
    #[error("Kafka at {brokers}: can't {doing}")]
    Kafka {
        brokers: String,
        doing: &'static str,
        #[source]
        source: KafkaError,
    },
    #[error("Kafka: topic {topic} {detail}")]
    Topic { topic: String, detail: String },
    #[error(
        "{topic}/{partition} offset {offset} has no valid {header} header: something other than the relay wrote to it"
    )]
    Message { topic: String, partition: i32, offset: i64, header: &'static str },
    #[error(
        "none of the log's {events} events is in the restored outbox, so where the backup ends is unknown; name it with --restored-to <position>"
    )]
    RestorePointUnknown { events: u64 },
    #[error(
        "the backup can't end at position {named}: its outbox goes along with the log up to position {found}; leave --restored-to out"
    )]
    RestorePointKnown { named: Position, found: Position },
    #[error("{path} lists outbox row {event_id}, which {schema}.outbox does not have any more")]
    PlanStale { path: PathBuf, schema: String, event_id: EventId },
    #[error("a task of the relay ended unexpectedly: {detail}")]
    Task { detail: String },
}

impl Error {
    /// A short stable name for logs and for the command line's JSON output.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::StateLocked { .. } => "state_locked",
            Self::State { .. } => "state",
            Self::StateCorrupt { .. } => "state_corrupt",
            Self::Address { .. } => "address",
            Self::Postgres { .. } => "postgres",
            Self::Replication(_) => "replication",
            Self::StreamStalled { .. } => "stream_stalled",
            Self::Version { .. } => "version",
            Self::PublicationMissing { .. } => "publication_missing",
            Self::PublicationWrong { .. } => "publication_wrong",
            Self::SlotBusy { .. } => "slot_busy",
            Self::SlotMissing { .. } => "slot_missing",
            Self::SlotInvalidated { .. } => "slot_invalidated",
            Self::SlotForeign { .. } => "slot_foreign",
            Self::SlotAhead { .. } => "slot_ahead",
            Self::ServerReplaced { .. } => "server_replaced",
            Self::TimelineChanged { .. } => "timeline_changed",
            Self::ServerRestored { .. } => "server_restored",
            Self::EventGone { .. } => "event_gone",
            Self::TailGone { .. } => "tail_gone",
            Self::PairMissing { .. } => "pair_missing",
            Self::CopiesDisagree { .. } => "copies_disagree",
            Self::LogForeign { .. } => "log_foreign",
            Self::LogLost { .. } => "log_lost",
            Self::Decode { .. } => "decode",
            Self::TransactionTooLarge { .. } => "transaction_too_large",
            Self::Kafka { .. } => "kafka",
            Self::Topic { .. } => "topic",
            Self::Message { .. } => "message",
            Self::RestorePointUnknown { .. } => "restore_point_unknown",
            Self::RestorePointKnown { .. } => "restore_point_known",
            Self::PlanStale { .. } => "plan_stale",
            Self::Task { .. } => "task",
        }
    }

    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::StateLocked { .. } | Self::SlotBusy { .. } | Self::PublicationMissing { .. } => {
                Retry::Wait
            }
            Self::Postgres { .. }
            | Self::Replication(_)
            | Self::StreamStalled { .. }
            | Self::Kafka { .. }
            | Self::State { .. }
            | Self::Task { .. } => Retry::Backoff,
            _ => Retry::Halt,
        }
    }

    /// The message with all its causes, for logs and status pages.
    #[must_use]
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(source) = cause {
            text.push_str(": ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        text
    }
}
