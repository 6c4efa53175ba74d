//! The handle every service holds.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::connections::Connections;
use crate::{Clock, Result};

/// What can be tuned; the defaults suit one machine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connections to PostgreSQL for commands, each of which holds one while it runs, and as many
    /// again for queries.
    pub connections_max: u32,
    /// How long a command waits for a connection before it is refused as busy.
    pub acquire_timeout: Duration,
    /// How long a statement waits for a row another command holds.
    pub lock_timeout: Duration,
    /// How long a statement may run.
    pub statement_timeout: Duration,
    /// How often a command is run again when PostgreSQL undid it to resolve a conflict.
    pub retries_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections_max: 24,
            acquire_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_secs(60),
            retries_max: 8,
        }
    }
}

/// Pool, clock and settings. Cheap to clone; the state of every router.
#[derive(Clone, Debug)]
pub struct Kernel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    connections: Connections,
    clock: Arc<dyn Clock>,
    settings: Settings,
}

impl Kernel {
    /// Connects with default settings.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the URL is wrong or the server is not there.
    pub async fn connect(url: &SecretString, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::connect_with(url, clock, Settings::default()).await
    }

    /// # Errors
    /// As [`Kernel::connect`].
    pub async fn connect_with(
        url: &SecretString,
        clock: Arc<dyn Clock>,
        settings: Settings,
    ) -> Result<Self> {
        let parameters = parameters(&settings);
        let options: PgConnectOptions = url.expose_secret().parse()?;
        let options = options
            .application_name("millrace")
            .statement_cache_capacity(256)
            .options(parameters.clone());
        let pool = PgPoolOptions::new()
            .max_connections(settings.connections_max)
            .acquire_timeout(settings.acquire_timeout)
            .connect_with(options)
            .await?;
        let parameters = parameters.map(|(name, value)| format!("-c {name}={value}"));
        let connections = Connections::new(url, &parameters.join(" "), &settings)?;
        Ok(Self(Arc::new(Inner { pool, connections, clock, settings })))
    }

    /// For queries; commands have connections of their own.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub(crate) fn connections(&self) -> &Connections {
        &self.0.connections
    }

    /// Closes all connections, after what runs on them has ended.
    pub async fn close(&self) {
        self.0.connections.close().await;
        self.0.pool.close().await;
    }

    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }
}

/// What every connection sets.
fn parameters(settings: &Settings) -> [(&'static str, String); 11] {
    [
        ("timezone", "UTC".to_owned()),
        ("jit", "off".to_owned()),
        // Lists come in as arrays, whose plan never depends on the values.
        ("plan_cache_mode", "force_generic_plan".to_owned()),
        // A plan is kept from when its tables were empty until they are next analysed. Made
        // for an empty table, it would read the full one whole: rows are found by key.
        ("enable_seqscan", "off".to_owned()),
        ("enable_bitmapscan", "off".to_owned()),
        ("enable_hashjoin", "off".to_owned()),
        ("enable_mergejoin", "off".to_owned()),
        ("lock_timeout", settings.lock_timeout.as_millis().to_string()),
        ("statement_timeout", settings.statement_timeout.as_millis().to_string()),
        ("idle_in_transaction_session_timeout", "60s".to_owned()),
        // A statement that waits for a lock ends when nobody waits for it any more.
        ("client_connection_check_interval", "1s".to_owned()),
    ]
}
