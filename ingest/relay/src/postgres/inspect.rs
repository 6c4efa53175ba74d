//! Facts about the server, the publication and the slot, read in one query.

use std::time::Duration;

use millrace_events::Lsn;
use sqlx::{FromRow, PgPool};

use crate::postgres::failed;
use crate::{Error, LastEvent};

/// The slot, as PostgreSQL shows it.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) plugin: String,
    pub(crate) database: String,
    pub(crate) is_active: bool,
    /// Came from a former primary by slot synchronisation.
    pub(crate) is_synced: bool,
    /// Why it can't be used any more, if so.
    pub(crate) invalidation: Option<String>,
    pub(crate) confirmed: Lsn,
}

/// The server, as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) system_id: String,
    pub(crate) timeline: u32,
    pub(crate) flushed: Lsn,
    pub(crate) database: String,
    /// Whether it publishes inserts only, through the partition root; `None` without publication.
    pub(crate) publication_is_right: Option<bool>,
    pub(crate) slot: Option<Slot>,
}

#[derive(FromRow)]
struct Row {
    system_id: String,
    timeline: String,
    flushed: String,
    database: String,
    publication_is_right: Option<bool>,
    plugin: Option<String>,
    slot_database: Option<String>,
    active: Option<bool>,
    synced: Option<bool>,
    wal_status: Option<String>,
    invalidation_reason: Option<String>,
    confirmed: Option<String>,
}

const FACTS: &str = "
    select (select system_identifier::text from pg_control_system()) as system_id,
           substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) as timeline,
           pg_current_wal_flush_lsn()::text as flushed,
           current_database()::text as database,
           (select pubviaroot and pubinsert and not pubupdate and not pubdelete and not pubtruncate
              from pg_publication where pubname = $2) as publication_is_right,
           plugin::text, s.database::text as slot_database, active, synced, wal_status,
           invalidation_reason, confirmed_flush_lsn::text as confirmed
      from (select 1) as always
      left join pg_replication_slots as s on s.slot_name = $1";

/// A connection that is dead on the way must not stop the relay from making another.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// # Errors
/// [`Error::Version`]; [`Error::Postgres`], also when there is no answer.
pub(crate) async fn server(pool: &PgPool, slot: &str, publication: &str) -> Result<Server, Error> {
    let silent = |_| Err(failed("read the state of server and slot")(sqlx::Error::PoolTimedOut));
    tokio::time::timeout(ANSWER_TIMEOUT, ask(pool, slot, publication)).await.unwrap_or_else(silent)
}

async fn ask(pool: &PgPool, slot: &str, publication: &str) -> Result<Server, Error> {
    let doing = "read the state of server and slot";
    let version_num: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(pool)
        .await
        .map_err(failed(doing))?;
    // Synced slots, the reason of an invalidation and flushed messages came with 17.
    if version_num < 170_000 {
        return Err(Error::Version { version_num });
    }
    let row: Row = sqlx::query_as(FACTS)
        .bind(slot)
        .bind(publication)
        .fetch_one(pool)
        .await
        .map_err(failed(doing))?;
    let slot = row.plugin.map(|plugin| Slot {
        plugin,
        database: row.slot_database.unwrap_or_default(),
        is_active: row.active.unwrap_or_default(),
        is_synced: row.synced.unwrap_or_default(),
        invalidation: row
            .invalidation_reason
            .or_else(|| row.wal_status.filter(|status| status == "lost")),
        confirmed: lsn(row.confirmed.as_deref()),
    });
    Ok(Server {
        system_id: row.system_id,
        timeline: u32::from_str_radix(&row.timeline, 16).unwrap_or_default(),
        flushed: lsn(Some(&row.flushed)),
        database: row.database,
        publication_is_right: row.publication_is_right,
        slot,
    })
}

fn lsn(text: Option<&str>) -> Lsn {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Whether the outbox still has the row that was sent last.
pub(crate) async fn has_event(pool: &PgPool, event: &LastEvent) -> Result<bool, Error> {
    let sql = format!(
        "select exists (select from {}.outbox where recorded_at = $1::timestamptz and event_id = $2)",
        quoted(&event.schema)
    );
    let found = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(&event.recorded_at)
        .bind(event.event_id)
        .fetch_one(pool)
        .await;
    match found {
        // A database from before the service's schema existed.
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("42P01") => Ok(false),
        found => found.map_err(failed("look for the last event sent")),
    }
}

/// The schemas whose outbox is in the publication.
pub(crate) async fn outboxes(pool: &PgPool, publication: &str) -> Result<Vec<String>, Error> {
    sqlx::query_scalar(
        "select schemaname::text from pg_publication_tables
          where pubname = $1 and tablename = 'outbox' order by 1",
    )
    .bind(publication)
    .fetch_all(pool)
    .await
    .map_err(failed("list the outbox tables"))
}

/// An identifier in double quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
