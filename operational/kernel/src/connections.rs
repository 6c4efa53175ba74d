//! Connections for commands. Queries have theirs from [`crate::Kernel::pool`].
//!
//! Two clients, because only this one sends a statement before the answer to the one before has
//! come: a sale is ten statements and three round trips. See `infra/adr/0007`.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime, Timeouts,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::SetOnce;
use tokio_postgres::{Config, NoTls};

use crate::{Result, Settings};

/// How often a closing pool looks whether its last connection has come back.
const CLOSING_LOOK: Duration = Duration::from_millis(2);

/// A bounded set of connections, each with the statements it has prepared.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Pool);

impl Connections {
    /// Connects when the first is asked for.
    pub fn new(url: &SecretString, parameters: &str, settings: &Settings) -> Result<Self> {
        let mut config: Config = url.expose_secret().parse()?;
        let asked = config.get_options().unwrap_or_default();
        let options = format!("{asked} {parameters}");
        config.application_name("millrace").options(options);
        // A dead connection is noticed by its socket, without a round trip.
        let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let timeouts = Timeouts {
            wait: Some(settings.acquire_timeout),
            create: Some(settings.acquire_timeout),
            recycle: None,
        };
        let pool = Pool::builder(Manager::from_config(config, NoTls, manager))
            .max_size(settings.connections_max as usize)
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with a runtime can have timeouts");
        Ok(Self(pool))
    }

    pub async fn acquire(&self) -> Result<Arc<Lent>> {
        let connection = Some(self.0.get().await?);
        let (opened, is_clean) = (SetOnce::new(), AtomicBool::new(false));
        Ok(Arc::new(Lent { connection, opened, is_clean }))
    }

    /// Closes all, after what runs on them has ended.
    pub async fn close(&self) {
        self.0.close();
        while self.0.status().size > 0 {
            tokio::time::sleep(CLOSING_LOOK).await;
        }
    }
}

/// A connection on loan. Dropped with a transaction open, it is closed, and PostgreSQL undoes
/// everything.
#[derive(Debug)]
pub(crate) struct Lent {
    /// None only while it is dropped.
    connection: Option<Object>,
    opened: SetOnce<()>,
    is_clean: AtomicBool,
}

impl Lent {
    /// Its transaction has begun, and the command's key is its own.
    pub fn open(&self) {
        self.opened.set(()).expect("a connection is lent to one transaction, which begins once");
    }

    /// Waits for [`Lent::open`].
    pub async fn opened(&self) {
        self.opened.wait().await;
    }

    /// Its transaction has ended: the next may have it.
    pub fn clean(&self) {
        self.is_clean.store(true, Ordering::Release);
    }
}

impl Deref for Lent {
    type Target = ClientWrapper;
    fn deref(&self) -> &ClientWrapper {
        self.connection.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.is_clean.load(Ordering::Acquire)
        {
            drop(Object::take(connection));
        }
    }
}
