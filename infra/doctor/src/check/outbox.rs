//! OUT-2 and OUT-3.

use std::collections::{HashMap, HashSet};

use millrace_events::Position;
use millrace_source::DeadLetter;
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use uuid::Uuid;

use crate::log::Log;
use crate::{Finding, Result};

/// OUT-2, for the log up to `until` and from the oldest row of any outbox: their partitions of one day are
/// dropped together, and what stood there can't be compared any more. Orphans are left out: the database
/// was restored from a backup that ends before them.
pub(crate) async fn outbox_is_in_log(
    reader: &mut Transaction<'_, Postgres>,
    log: &Log,
    letters: &[DeadLetter],
    until: Position,
) -> Result<Finding> {
    let mut finding =
        Finding::new("OUT-2", "every outbox row reaches the log; nothing uncommitted does");
    let orphans = letters.iter().filter(|letter| letter.is_orphaned);
    let orphans: HashSet<Position> =
        orphans.flat_map(|letter| &letter.events).map(|event| event.position).collect();
    let entries = || log.entries.iter().filter(|entry| !orphans.contains(&entry.position));
    let logged: HashMap<Uuid, Position> =
        entries().map(|entry| (entry.event_id, entry.position)).collect();
    let schemas: Vec<String> = sqlx::query_scalar(
        "select schemaname::text from pg_publication_tables \
         where pubname = 'millrace_outbox' and tablename = 'outbox' order by 1",
    )
    .fetch_all(&mut **reader)
    .await?;
    let mut kept: HashMap<Uuid, Position> = HashMap::new();
    for schema in schemas {
        let rows: Vec<(Uuid, String)> = sqlx::query_as(AssertSqlSafe(format!(
            "select event_id, event_type from {schema}.outbox"
        )))
        .fetch_all(&mut **reader)
        .await?;
        for (event_id, event_type) in rows {
            match logged.get(&event_id) {
                Some(position) => {
                    kept.insert(event_id, *position);
                }
                None => finding
                    .violate(format!("{schema}.outbox: {event_type} {event_id} is not in the log, or there as an orphan only")),
            }
        }
    }
    let complete_from = kept.values().min().copied().unwrap_or_default();
    let committed = entries().filter(|entry| entry.position <= until);
    for entry in committed.filter(|entry| entry.position >= complete_from) {
        if !kept.contains_key(&entry.event_id) {
            finding.violate(format!(
                "position {} at {}: event {} is in no outbox",
                entry.position, entry.place, entry.event_id
            ));
        }
    }
    let beside = match log.foreign {
        0 => String::new(),
        foreign => format!("; {foreign} messages of the log are no events"),
    };
    Ok(finding.examined(kept.len(), &format!("outbox rows{beside}")))
}

/// OUT-3, up to `until`: what was published while the partitions were read, one after the other, may
/// be there in part only.
pub(crate) fn positions_are_gapless(log: &Log, until: Position) -> Finding {
    let mut finding = Finding::new("OUT-3", "per aggregate, order is kept; positions have no gap");
    let mut expected = Position::START.next();
    let mut last: Option<(Position, Uuid)> = None;
    for entry in log.entries.iter().filter(|entry| entry.position <= until) {
        if let Some((position, event_id)) = last
            && position == entry.position
        {
            if event_id != entry.event_id {
                finding.violate(format!(
                    "position {position}: both {event_id} and {} ({})",
                    entry.event_id, entry.place
                ));
            }
            continue;
        }
        if entry.position != expected {
            finding.violate(format!(
                "positions {expected} to {} are missing before {}",
                entry.position.0 - 1,
                entry.place
            ));
        }
        expected = entry.position.next();
        last = Some((entry.position, entry.event_id));
    }
    for row in &log.disordered {
        finding.violate(row.clone());
    }
    if expected <= until {
        finding.violate(format!("positions {expected} to {until} are missing at the end"));
    }
    finding.examined(until, "positions")
}
