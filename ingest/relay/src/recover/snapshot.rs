//! The outbox rows that a slot's exported snapshot shows.

use std::collections::HashMap;

use futures::TryStreamExt;
use millrace_events::EventId;
use sqlx::{AssertSqlSafe, PgPool};

use crate::Error;
use crate::postgres::{failed, inspect};
use crate::recover::plan::PlannedRow;

/// Each row, by its event's id.
pub(crate) type Rows = HashMap<EventId, PlannedRow>;

/// All rows of all outboxes, without their envelopes, as the exported snapshot shows them; as they are
/// now without one.
pub(crate) async fn rows(
    pool: &PgPool,
    publication: &str,
    snapshot: Option<&str>,
) -> Result<Rows, Error> {
    let doing = "read the outbox tables";
    let mut transaction = pool.begin().await.map_err(failed(doing))?;
    // The name comes from PostgreSQL itself; `set transaction` takes no parameters.
    let sql = format!(
        "set transaction isolation level repeatable read, read only{}",
        snapshot.map(|name| format!("; set transaction snapshot '{name}'")).unwrap_or_default()
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *transaction).await.map_err(failed(doing))?;
    let mut rows = Rows::new();
    for schema in inspect::outboxes(pool, publication).await? {
        let sql =
            format!("select event_id, recorded_at::text from {}.outbox", inspect::quoted(&schema));
        let mut found =
            sqlx::query_as::<_, (EventId, String)>(AssertSqlSafe(sql)).fetch(&mut *transaction);
        while let Some((event_id, recorded_at)) = found.try_next().await.map_err(failed(doing))? {
            let schema = schema.clone();
            rows.insert(event_id, PlannedRow { schema, recorded_at, event_id });
        }
    }
    Ok(rows)
}
