//! What a relay is told, with the defaults of the product.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use millrace_events::Topic;
use secrecy::SecretString;

/// Tells the time of day. Intervals and back-off use a monotonic timer instead.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// Settings of [`crate::Relay::start`] and of the remedies in [`crate::recover`].
#[derive(Clone)]
pub struct RelayOptions {
    /// `postgres://user:password@host:port/database` of a role that may replicate.
    pub postgres_url: SecretString,
    /// `host:port`, several separated by commas.
    pub kafka_brokers: String,
    /// Where `relay.json` is kept. One relay at a time holds it.
    pub state_dir: PathBuf,
    /// Partitions of each business topic that does not exist yet. The control topic has one.
    pub partitions: i32,
    /// Copies of each partition of a topic that does not exist yet; -1 leaves it to the broker.
    pub replication: i32,
    /// The business topics to create up front.
    pub topics: Vec<String>,
    pub slot: String,
    pub publication: String,
    pub clock: Clock,
    /// How long librdkafka may wait for more events before it sends a request.
    pub linger: Duration,
    /// Events handed to Kafka and not acknowledged yet. Reading stops above it.
    pub events_in_flight_max: usize,
    /// Bytes of envelopes handed to Kafka and not acknowledged yet. Reading stops above it.
    pub bytes_in_flight_max: usize,
    /// Outbox rows of one transaction; the kernel refuses more when it is written.
    pub transaction_rows_max: usize,
    /// Bytes of outbox rows of one transaction.
    pub transaction_bytes_max: usize,
    /// An event whose message is larger leaves a tombstone at its position.
    pub message_bytes_max: usize,
    /// Shortest time between two frontier messages while events flow.
    pub frontier_busy: Duration,
    /// Shortest time between two frontier messages that differ in their LSN only.
    pub frontier_idle: Duration,
    /// Shortest time between two writes of the pair.
    pub pair_interval: Duration,
    /// How long a durable pair waits before the slot is confirmed up to it.
    pub confirm_delay: Duration,
    /// Events between the durable pair and the slot, above which the delay is cut short, so that
    /// what a restart has to read back stays bounded.
    pub confirm_events_max: u64,
    /// How long to wait before asking again for the slot while another relay holds it.
    pub lease_retry: Duration,
    /// First and longest wait after PostgreSQL or Kafka failed.
    pub backoff_min: Duration,
    pub backoff_max: Duration,
    /// How often slot, lag and alarms are measured.
    pub monitor_interval: Duration,
    /// How long the change stream may stand still while PostgreSQL writes on, before the connection
    /// counts as dead.
    pub stall_timeout: Duration,
    /// WAL the slot may retain before the disk is in danger, where PostgreSQL has no
    /// `max_slot_wal_keep_size` of its own.
    pub retained_bytes_max: u64,
    /// Per cent of the retained budget from which the alarm is raised.
    pub retained_alarm_percent: u64,
    /// Age of the oldest unsent event from which the alarm is raised.
    pub lag_alarm: Duration,
    /// Days of outbox partitions to keep; older ones are dropped once the durable pair has passed them.
    pub outbox_keep_days: u32,
    /// How often outbox partitions are looked at.
    pub outbox_interval: Duration,
    /// How long a shutdown waits for acknowledgements.
    pub shutdown_timeout: Duration,
}

impl RelayOptions {
    /// The product's defaults around the three addresses.
    #[must_use]
    pub fn new(
        postgres_url: SecretString,
        kafka_brokers: impl Into<String>,
        state_dir: impl Into<PathBuf>,
        clock: Clock,
    ) -> Self {
        Self {
            postgres_url,
            kafka_brokers: kafka_brokers.into(),
            state_dir: state_dir.into(),
            partitions: 1,
            replication: -1,
            topics: Topic::ALL.iter().map(ToString::to_string).collect(),
            slot: "millrace_relay".into(),
            publication: "millrace_outbox".into(),
            clock,
            linger: Duration::from_millis(10),
            events_in_flight_max: 20_000,
            bytes_in_flight_max: 64 << 20,
            transaction_rows_max: 10_000,
            transaction_bytes_max: 256 << 20,
            message_bytes_max: 4 << 20,
            frontier_busy: Duration::from_millis(20),
            frontier_idle: Duration::from_millis(50),
            pair_interval: Duration::from_millis(200),
            confirm_delay: Duration::from_secs(60),
            confirm_events_max: 100_000,
            lease_retry: Duration::from_millis(500),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
            monitor_interval: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(10),
            retained_bytes_max: 8 << 30,
            retained_alarm_percent: 50,
            lag_alarm: Duration::from_secs(10),
            outbox_keep_days: 7,
            outbox_interval: Duration::from_secs(600),
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for RelayOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayOptions")
            .field("kafka_brokers", &self.kafka_brokers)
            .field("state_dir", &self.state_dir)
            .field("slot", &self.slot)
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}
