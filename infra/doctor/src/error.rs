//! Why an examination could not be made.

use std::time::Duration;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("PostgreSQL: {0}")]
    Postgres(#[from] sqlx::Error),
    #[error(
        "the replication connection: {0}; the role needs REPLICATION and wal_level must be logical"
    )]
    Replication(#[from] pgwire_replication::PgWireError),
    #[error("PostgreSQL made a slot but did not tell {what}")]
    Slot { what: &'static str },
    #[error("the PostgreSQL URL can't be used: {reason}")]
    Address { reason: String },
    #[error("reading the log: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    #[error("the end of the log was not reached in {0:?}: is the broker overloaded?")]
    LogTimeout(Duration),
    #[error("the dead letters: {0}")]
    DeadLetters(#[from] millrace_source::Error),
    #[error(transparent)]
    Views(#[from] millrace_views::Error),
    #[error(transparent)]
    Marts(#[from] millrace_olap::Error),
    #[error("a view's snapshot can't be read: {0}")]
    Snapshot(#[from] millrace_engine::Error),
    #[error("view {view} has no column {column} of the expected type")]
    Column { view: &'static str, column: &'static str },
    #[error("reading the log was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}
