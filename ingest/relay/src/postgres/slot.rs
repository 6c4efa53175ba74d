//! Making and dropping the slot.

use std::time::Duration;

use millrace_events::Lsn;
use pgwire_replication::ReplicationClient;
use sqlx::PgPool;

use crate::postgres::{failed, inspect, replication};
use crate::{Error, RelayOptions};

/// SQLSTATE of a slot that somebody streams from.
pub(crate) const OBJECT_IN_USE: &str = "55006";

/// A new slot whose snapshot shows exactly what was committed before its start. The snapshot is
/// valid while this value lives.
pub(crate) struct Exported {
    pub(crate) start: Lsn,
    pub(crate) snapshot: String,
    _session: ReplicationClient,
}

pub(crate) async fn create(options: &RelayOptions) -> Result<Exported, Error> {
    let mut session = ReplicationClient::connect_gated(replication(options)?)
        .await
        .map_err(Error::Replication)?;
    let rows = session
        .simple_query(&format!(
            "CREATE_REPLICATION_SLOT {} LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER true)",
            inspect::quoted(&options.slot)
        ))
        .await
        .map_err(Error::Replication)?;
    let column = |at: usize| {
        rows.first()
            .and_then(|row| row.get(at)?.as_deref())
            .and_then(|text| std::str::from_utf8(text).ok())
    };
    let start = column(1).and_then(|text| text.parse().ok());
    let (Some(start), Some(snapshot)) = (start, column(2).map(str::to_owned)) else {
        let detail = format!("slot {} was made, but its start was not told", options.slot);
        return Err(Error::Decode { lsn: Lsn(0), detail });
    };
    Ok(Exported { start, snapshot, _session: session })
}

/// PostgreSQL takes a moment to notice that a relay has gone.
const RELEASE_ATTEMPTS: u32 = 20;
const RELEASE_PAUSE: Duration = Duration::from_millis(100);

/// Waits until nobody streams from the slot, if it exists.
///
/// # Errors
/// [`Error::SlotBusy`] while a relay holds it.
pub(crate) async fn wait_until_idle(pool: &PgPool, slot: &str) -> Result<(), Error> {
    for _ in 0..RELEASE_ATTEMPTS {
        let sql = "select count(*) from pg_replication_slots where slot_name = $1 and active";
        let active: i64 = sqlx::query_scalar(sql)
            .bind(slot)
            .fetch_one(pool)
            .await
            .map_err(failed("look at the slot"))?;
        if active == 0 {
            return Ok(());
        }
        tokio::time::sleep(RELEASE_PAUSE).await;
    }
    Err(Error::SlotBusy { slot: slot.to_owned() })
}

/// Drops the slot if it exists.
///
/// # Errors
/// [`Error::SlotBusy`] while a relay holds it.
pub(crate) async fn drop_existing(pool: &PgPool, slot: &str) -> Result<(), Error> {
    for _ in 0..RELEASE_ATTEMPTS {
        let dropped = sqlx::query(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1",
        )
        .bind(slot)
        .execute(pool)
        .await;
        match dropped {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(OBJECT_IN_USE) => {
                tokio::time::sleep(RELEASE_PAUSE).await;
            }
            dropped => return dropped.map(drop).map_err(failed("drop the slot")),
        }
    }
    Err(Error::SlotBusy { slot: slot.to_owned() })
}
