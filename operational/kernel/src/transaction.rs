//! One transaction: business rows, outbox rows and idempotency key commit together or not at all.

use millrace_events::{Event, EventId, Lsn, Token};
use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgConnection, Postgres, Row};

use crate::deferred::{Binds, Deferred};
use crate::idempotency::Claim;
use crate::outbox::Outbox;
use crate::{Context, Kernel, Result};

/// An open transaction. Dropped unfinished, for example because the client went away, it closes
/// its connection, and PostgreSQL undoes everything.
#[derive(Debug)]
pub struct Tx {
    connection: PoolConnection<Postgres>,
    context: Context,
    outbox: Outbox,
    deferred: Deferred,
    open: bool,
}

impl Tx {
    /// Begins; events go to the outbox of `schema`.
    pub(crate) async fn begin(
        kernel: &Kernel,
        context: Context,
        schema: &'static str,
    ) -> Result<Self> {
        // Dead connections to throw away before the server is believed to be gone.
        let mut left = kernel.settings().connections_max;
        loop {
            let mut connection = kernel.pool().acquire().await?;
            match sqlx::raw_sql("begin").execute(&mut *connection).await {
                Ok(_) => {
                    return Ok(Self {
                        connection,
                        context,
                        outbox: Outbox::new(schema),
                        deferred: Deferred::default(),
                        open: true,
                    });
                }
                Err(_) if left > 0 && connection.ping().await.is_err() => {
                    left -= 1;
                    connection.close_on_drop();
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Appends an event to the outbox, that of the service whose command this is.
    ///
    /// # Errors
    /// [`crate::Error::OutboxFull`] beyond [`crate::OUTBOX_ROWS_MAX`] events.
    pub fn append<E: Event>(&mut self, event: &E) -> Result<EventId> {
        self.outbox.append(&self.context, event)
    }

    /// Leaves a write to tables of `schema` for the transaction's last statement, where all such are
    /// one; `write` is a single `insert`, `update` or `delete`. What it refuses is told then. Whoever
    /// reads these tables in the same transaction calls [`Tx::settle`] first.
    pub fn defer(
        &mut self,
        schema: &'static str,
        write: &str,
        bind: impl for<'a> FnOnce(Binds<'a>) -> Binds<'a>,
    ) {
        self.deferred.push(schema, write, bind);
    }

    /// Does what was deferred, if some of it writes to tables of `schema`.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn settle(&mut self, schema: &str) -> Result<()> {
        if self.deferred.writes_to(schema) {
            let deferred = std::mem::take(&mut self.deferred);
            deferred.run(self.connection()).await?;
        }
        Ok(())
    }

    /// Writes what was deferred, the outbox and the key's response in one statement, commits, and
    /// tells where in the log that is.
    pub(crate) async fn commit(mut self, key: Option<(&Claim, &str)>) -> Result<Token> {
        let mut deferred = std::mem::take(&mut self.deferred);
        self.outbox.defer(&self.context, &mut deferred);
        if let Some((claim, response)) = key {
            claim.defer(&self.context, response, &mut deferred);
        }
        // A statement in an aborted transaction fails; a bare commit of one would roll back and
        // look like success.
        let sql = match deferred.run(self.connection()).await? {
            true => "commit; select pg_current_wal_flush_lsn()::text",
            false => "select 1; commit; select pg_current_wal_flush_lsn()::text",
        };
        let rows = sqlx::raw_sql(sql).fetch_all(self.connection()).await?;
        self.open = false;
        let lsn: String = rows.last().ok_or(sqlx::Error::RowNotFound)?.try_get(0)?;
        Ok(Token(lsn.parse::<Lsn>()?))
    }

    pub(crate) async fn roll_back(mut self) {
        if sqlx::raw_sql("rollback").execute(self.connection()).await.is_ok() {
            self.open = false;
        }
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open {
            self.connection.close_on_drop();
        }
    }
}
