//! Where ClickHouse is and how much is sent at once.

use std::time::Duration;

use secrecy::SecretString;

/// How to reach ClickHouse over HTTP.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `http://host:port`.
    pub url: String,
    pub user: String,
    pub password: SecretString,
    /// The database of all marts; created when missing.
    pub database: String,
    /// Whether inserts are compressed on the way: worth it off the machine only.
    pub is_compressed: bool,
}

impl Connection {
    #[must_use]
    pub fn new(url: impl Into<String>, user: impl Into<String>, password: SecretString) -> Self {
        Self {
            url: url.into(),
            user: user.into(),
            password,
            database: "millrace".to_owned(),
            is_compressed: false,
        }
    }
}

/// What a loader is started with.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    pub connection: Connection,
    /// Epochs wait this long for more to be sent with them.
    pub flush_interval: Duration,
    /// Rows after which a batch is sent at once.
    pub batch_rows_max: usize,
    /// Rows of one insert; a batch of more is sent in parts.
    pub part_rows_max: usize,
    /// Unsent rows after which the pipeline has to wait.
    pub queue_rows_max: usize,
    /// … or unsent epochs: many small ones cost more memory than their rows.
    pub queue_epochs_max: usize,
    /// Days that raw events are kept, counted from the event.
    pub raw_days_kept: u32,
    /// First pause after a failure, doubled up to [`Self::retry_pause_max`].
    pub retry_pause: Duration,
    pub retry_pause_max: Duration,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How long what is queued may take to be sent at the end; checkpoints hold the rest.
    pub shutdown_wait: Duration,
}

impl LoaderOptions {
    #[must_use]
    pub fn new(connection: Connection) -> Self {
        Self {
            connection,
            flush_interval: Duration::from_millis(500),
            batch_rows_max: 200_000,
            part_rows_max: 100_000,
            queue_rows_max: 600_000,
            queue_epochs_max: 4_000,
            raw_days_kept: 2 * 365,
            retry_pause: Duration::from_millis(100),
            retry_pause_max: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            shutdown_wait: Duration::from_secs(5),
        }
    }
}
