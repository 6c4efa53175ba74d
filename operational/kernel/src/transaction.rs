//! One transaction: business rows, outbox rows and idempotency key commit together or not at all.

use std::pin::pin;
use std::sync::Arc;

use futures::future;
use millrace_events::{Event, EventId, Lsn, Token};
use tokio_postgres::types::ToSql;

use crate::connections::Lent;
use crate::deferred::{Binds, Column, Deferred, Value};
use crate::idempotency::Claim;
use crate::outbox::Outbox;
use crate::row::FromRow;
use crate::{Context, Result};

/// A statement's `$1`, `$2`, ….
pub type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

const COMMIT: &str = "commit";
const FLUSHED: &str = "select pg_current_wal_flush_lsn()::text";
/// A statement in an aborted transaction fails; a bare commit of one would roll back and look like
/// success.
const PROOF: &str = "select";

/// An open transaction. Dropped unfinished, for example because the client went away, it closes
/// its connection, and PostgreSQL undoes everything.
///
/// Statements that are awaited together (`futures::try_join!`) are sent together and share one round
/// trip. Which of them is done first is not said: a connection prepares what it meets for the first
/// time.
#[derive(Debug)]
pub struct Tx {
    connection: Arc<Lent>,
    context: Context,
    outbox: Outbox,
    deferred: Deferred,
}

impl Tx {
    /// On a connection where it begins; events go to the outbox of `schema`.
    pub(crate) fn on(connection: Arc<Lent>, context: Context, schema: &'static str) -> Self {
        Self { connection, context, outbox: Outbox::new(schema), deferred: Deferred::default() }
    }

    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Waits until the transaction has begun and its key is known to be free. Questions are sent before
    /// that and answered after it. A command whose first statement is a change that answers rows waits
    /// for it here; [`Tx::execute`] does so itself.
    pub async fn begun(&self) {
        self.connection.opened().await;
    }

    /// All rows of an answer.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn fetch_all<T: FromRow>(&self, sql: &str, values: Values<'_>) -> Result<Vec<T>> {
        let connection = &self.connection;
        let statement = connection.prepare_cached(sql).await?;
        let rows = connection.query(&statement, values).await?;
        self.begun().await;
        Ok(rows.iter().map(T::from_row).collect::<Result<_, _>>()?)
    }

    /// The only row of an answer, if it has one.
    ///
    /// # Errors
    /// Whatever the database refuses, and a second row.
    pub async fn fetch_optional<T: FromRow>(
        &self,
        sql: &str,
        values: Values<'_>,
    ) -> Result<Option<T>> {
        let connection = &self.connection;
        let statement = connection.prepare_cached(sql).await?;
        let row = connection.query_opt(&statement, values).await?;
        self.begun().await;
        Ok(row.as_ref().map(T::from_row).transpose()?)
    }

    /// The one row of an answer.
    ///
    /// # Errors
    /// Whatever the database refuses, and none or a second row.
    pub async fn fetch_one<T: FromRow>(&self, sql: &str, values: Values<'_>) -> Result<T> {
        let connection = &self.connection;
        let statement = connection.prepare_cached(sql).await?;
        let row = connection.query_one(&statement, values).await?;
        self.begun().await;
        Ok(T::from_row(&row)?)
    }

    /// Changes rows, and tells how many.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn execute(&self, sql: &str, values: Values<'_>) -> Result<u64> {
        self.begun().await;
        let connection = &self.connection;
        let statement = connection.prepare_cached(sql).await?;
        Ok(connection.execute(&statement, values).await?)
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

    /// Leaves rows for the transaction's last statement, as [`Tx::defer`]; each row has a value for each
    /// column.
    pub fn insert(
        &mut self,
        schema: &'static str,
        table: &str,
        columns: &[Column],
        rows: Vec<Vec<Value>>,
    ) {
        self.deferred.insert(schema, table, columns, rows);
    }

    /// Does what was deferred, if some of it writes to tables of `schema`.
    ///
    /// # Errors
    /// Whatever the database refuses.
    pub async fn settle(&mut self, schema: &str) -> Result<()> {
        if self.deferred.writes_to(schema) {
            let (sql, values) = std::mem::take(&mut self.deferred).into_statement();
            self.execute(&sql, &values.iter().map(|value| &**value as _).collect::<Vec<_>>())
                .await?;
        }
        Ok(())
    }

    /// For who reads rows of `schema` without being able to write what was deferred.
    ///
    /// # Panics
    /// When a deferred write to tables of `schema` would be missed.
    pub fn require_settled(&self, schema: &str) {
        assert!(!self.deferred.writes_to(schema), "a write to {schema} waits: settle it first");
    }

    /// Writes what was deferred, the outbox and the key's response in one statement, commits, and
    /// tells where in the log that is.
    pub(crate) async fn commit(mut self, key: Option<(&Claim, &str)>) -> Result<Token> {
        let mut deferred = std::mem::take(&mut self.deferred);
        self.outbox.defer(&mut deferred);
        if let Some((claim, response)) = key {
            claim.defer(&self.context, response, &mut deferred);
        }
        let lsn = self.write_and_commit(deferred).await?;
        self.connection.clean();
        Ok(Token(lsn))
    }

    /// The last statement and the commit, in one round trip. A statement that fails aborts the
    /// transaction, so that the commit behind it commits nothing.
    async fn write_and_commit(&self, deferred: Deferred) -> Result<Lsn> {
        let (sql, values) = match deferred.is_empty() {
            true => (PROOF.to_owned(), Vec::new()),
            false => deferred.into_statement(),
        };
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as _).collect();
        let connection = &self.connection;
        let write = connection.prepare_cached(&sql).await?;
        let commit = connection.prepare_cached(COMMIT).await?;
        let flushed = connection.prepare_cached(FLUSHED).await?;
        let mut write = pin!(future::maybe_done(connection.execute(&write, &values)));
        // The first poll sends it, or finds that it can't be sent; then there must be no commit.
        let _ = futures::poll!(write.as_mut());
        if let Some(Err(_)) = write.as_mut().output_mut() {
            write.as_mut().take_output().expect("it has just been there")?;
        }
        let ((), committed, flushed) = futures::join!(
            write.as_mut(),
            connection.execute(&commit, &[]),
            connection.query_one(&flushed, &[]),
        );
        write.take_output().expect("it was waited for")?;
        committed?;
        Ok(flushed?.try_get::<_, String>(0)?.parse()?)
    }

    /// Undoes everything, behind whatever was asked before: nobody waits for that.
    pub(crate) fn roll_back(self) {
        tokio::spawn(async move {
            if self.connection.batch_execute("rollback").await.is_ok() {
                self.connection.clean();
            }
        });
    }
}
