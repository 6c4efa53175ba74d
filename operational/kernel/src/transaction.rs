//! One transaction: business rows, outbox rows and idempotency key commit together or not at all.

use std::fmt::Write;

use millrace_events::{Event, EventId, Lsn, Token};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row};

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
    open: bool,
}

impl Tx {
    pub(crate) async fn begin(kernel: &Kernel, context: Context) -> Result<Self> {
        // Dead connections to throw away before the server is believed to be gone.
        let mut left = kernel.settings().connections_max;
        loop {
            let mut connection = kernel.pool().acquire().await?;
            match sqlx::raw_sql("begin").execute(&mut *connection).await {
                Ok(_) => {
                    return Ok(Self { connection, context, outbox: Outbox::default(), open: true });
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

    /// Appends an event to the outbox of `schema`.
    ///
    /// # Errors
    /// [`crate::Error::OutboxFull`] beyond [`crate::OUTBOX_ROWS_MAX`] events.
    pub fn append<E: Event>(&mut self, schema: &'static str, event: &E) -> Result<EventId> {
        self.outbox.append(&self.context, schema, event)
    }

    /// Writes outbox rows and the key's response in one statement, commits, and tells where in the
    /// log that is.
    pub(crate) async fn commit(mut self, key: Option<(&Claim, &str)>) -> Result<Token> {
        self.flush(key).await?;
        // A statement in an aborted transaction fails; a bare commit of one would roll back and
        // look like success.
        let rows = sqlx::raw_sql("select 1; commit; select pg_current_wal_flush_lsn()::text")
            .fetch_all(&mut *self.connection)
            .await?;
        self.open = false;
        let lsn: String = rows.last().ok_or(sqlx::Error::RowNotFound)?.try_get(0)?;
        Ok(Token(lsn.parse::<Lsn>()?))
    }

    pub(crate) async fn roll_back(mut self) {
        if sqlx::raw_sql("rollback").execute(&mut *self.connection).await.is_ok() {
            self.open = false;
        }
    }

    async fn flush(&mut self, key: Option<(&Claim, &str)>) -> Result<()> {
        if self.outbox.schemas.is_empty() && key.is_none() {
            return Ok(());
        }
        let sql = flush_sql(&self.outbox, key.map(|(claim, _)| claim.schema));
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(self.context.now())
            .bind(self.context.traceparent().map(str::to_owned));
        for (_, rows) in &self.outbox.schemas {
            query = query
                .bind(&rows.event_ids)
                .bind(&rows.topics)
                .bind(&rows.event_types)
                .bind(&rows.aggregate_ids)
                .bind(&rows.envelopes);
        }
        if let Some((claim, response)) = key {
            query = query
                .bind(self.context.actor.user_id)
                .bind(&claim.key)
                .bind(claim.command)
                .bind(&claim.body_hash)
                .bind(response);
        }
        query.execute(&mut *self.connection).await?;
        Ok(())
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open {
            self.connection.close_on_drop();
        }
    }
}

fn flush_sql(outbox: &Outbox, key_schema: Option<&'static str>) -> String {
    let mut sql = String::with_capacity(1024);
    let mut next = 3;
    for (schema, _) in &outbox.schemas {
        sql.push_str(if sql.is_empty() { "with " } else { ", " });
        write!(
            sql,
            "{schema}_outbox as (insert into {schema}.outbox \
             (recorded_at, traceparent, event_id, topic, event_type, aggregate_id, envelope) \
             select $1, $2, rows.* from unnest(${}::uuid[], ${}::text[], ${}::text[], ${}::text[], \
             ${}::text[]) as rows)",
            next,
            next + 1,
            next + 2,
            next + 3,
            next + 4
        )
        .expect("a string takes any text");
        next += 5;
    }
    if let Some(schema) = key_schema {
        sql.push_str(if sql.is_empty() { "with " } else { ", " });
        write!(
            sql,
            "key as (insert into {schema}.idempotency \
             (actor_id, key, command, body_hash, response, recorded_at) \
             values (${}, ${}, ${}, ${}, ${}, $1))",
            next,
            next + 1,
            next + 2,
            next + 3,
            next + 4
        )
        .expect("a string takes any text");
    }
    sql.push_str(" select $1::timestamptz, $2::text");
    sql
}
