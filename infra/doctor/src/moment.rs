//! One moment of PostgreSQL: a snapshot of which it is known exactly which commits it shows.
//!
//! A plain SELECT has no place in the write-ahead log. A temporary logical slot does: its
//! consistent point is an LSN, and the snapshot it exports shows exactly the commits before it.

use std::time::Duration;

use millrace_events::{Lsn, Token};
use millrace_views::{PipelineHandle, Target};
use pgwire_replication::{ReplicationClient, ReplicationConfig, TlsConfig};
use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, PgPool, Postgres, Transaction};
use uuid::Uuid;

use crate::{Error, Result};

/// How long the relay and the pipeline may take to come to the moment.
const APPLY_MAX: Duration = Duration::from_secs(60);

/// The services' connections are tuned for short transactions that find rows by key. This one reads
/// whole tables, and stays open while the log is read.
const READ_AT_LEISURE: &str = "set local idle_in_transaction_session_timeout = 0; \
    set local statement_timeout = 0; set local enable_seqscan = on; \
    set local enable_hashjoin = on; set local enable_mergejoin = on";

pub(crate) struct Moment {
    /// Every commit before it is shown, none at or behind it.
    pub(crate) lsn: Lsn,
    snapshot: String,
    /// The slot and its snapshot live as long as this connection.
    _session: ReplicationClient,
}

impl Moment {
    pub(crate) async fn export(postgres_url: &SecretString) -> Result<Self> {
        let slot = format!("millrace_doctor_{}", Uuid::new_v4().simple());
        let mut session =
            ReplicationClient::connect_gated(replication(postgres_url, &slot)?).await?;
        // Replication commands are known in capitals only.
        let rows = session
            .simple_query(&format!(
                "CREATE_REPLICATION_SLOT {slot} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')"
            ))
            .await?;
        let column = |at: usize, what| {
            let value = rows.first().and_then(|row| row.get(at)?.as_deref());
            value.and_then(|text| std::str::from_utf8(text).ok()).ok_or(Error::Slot { what })
        };
        let lsn = column(1, "its start")?;
        let lsn = lsn.parse().map_err(|_| Error::Slot { what: "a readable start" })?;
        let snapshot = column(2, "its snapshot")?.to_owned();
        Ok(Self { lsn, snapshot, _session: session })
    }

    /// A transaction that sees the moment.
    pub(crate) async fn reader(&self, pool: &PgPool) -> Result<Transaction<'static, Postgres>> {
        let mut reader = pool.begin().await?;
        // The name comes from PostgreSQL itself; `set transaction` takes no parameters.
        let sql = format!(
            "set transaction isolation level repeatable read, read only; \
             set transaction snapshot '{}'; {READ_AT_LEISURE}",
            self.snapshot
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *reader).await?;
        Ok(reader)
    }

    /// Waits until everything the moment shows is in the log and in the views.
    pub(crate) async fn wait_until_applied(&self, pipeline: &PipelineHandle) -> Result<()> {
        pipeline.wait_for(Target::Token(Token(self.lsn)), APPLY_MAX).await?;
        Ok(())
    }
}

fn replication(postgres_url: &SecretString, slot: &str) -> Result<ReplicationConfig> {
    let url = postgres_url.expose_secret();
    let options: PgConnectOptions =
        url.parse().map_err(|error: sqlx::Error| Error::Address { reason: error.to_string() })?;
    // PgConnectOptions keeps the password to itself.
    let address = url::Url::parse(url)
        .map_err(|_| Error::Address { reason: "it is not a URL".to_owned() })?;
    let password = percent_encoding::percent_decode_str(address.password().unwrap_or_default())
        .decode_utf8()
        .map_err(|_| Error::Address { reason: "the password is not UTF-8".to_owned() })?;
    let database = options.get_database().unwrap_or(options.get_username());
    Ok(ReplicationConfig::new(
        options.get_host(),
        options.get_username(),
        password,
        database,
        slot,
        "millrace_outbox",
    )
    .with_port(options.get_port())
    .with_tls(TlsConfig::disabled())
    .with_application_name("millrace-doctor"))
}
