//! Events of the log that a restored database does not have.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use millrace_events::{Position, PositionRange};

use crate::log::read::{self, Scanned};
use crate::log::topics::TopicInfo;
use crate::recover::found::Found;
use crate::recover::life::Restored;
use crate::recover::{Orphans, RestorePoint};
use crate::{Error, RelayOptions};

/// How far the database goes. Commits are in the order of positions, so it has everything up to there.
/// What it has of a transaction of the log that is cut in two is sent again.
pub(crate) fn restore_point(
    log: &Found,
    orphaned: &[PositionRange],
    named: RestorePoint,
) -> Result<Restored, Error> {
    let found = log.restored(orphaned);
    let event = match named {
        RestorePoint::Outbox if found == Position::START && log.events > 0 => {
            return Err(Error::RestorePointUnknown { events: log.events });
        }
        RestorePoint::Position(named) if found != Position::START && named != found => {
            return Err(Error::RestorePointKnown { named, found });
        }
        RestorePoint::Position(named) => named.min(log.last),
        RestorePoint::Outbox => found,
    };
    Ok(Restored { event, whole: log.transaction_end(event) })
}

/// Writes a JSON line for each event after the restore point.
pub(crate) fn list(
    options: &RelayOptions,
    topics: &[TopicInfo],
    restored: Position,
    path: PathBuf,
) -> Result<Orphans, Error> {
    let failed =
        |source| Error::State { path: path.clone(), doing: "list the orphaned events", source };
    let mut file = BufWriter::new(File::create(&path).map_err(failed)?);
    let mut events = 0;
    read::scan(options, topics, |Scanned { place, event_id, topic, partition, offset }| {
        if place.position <= restored {
            return Ok(());
        }
        events += 1;
        let line = serde_json::json!({
            "position": place.position, "event_id": event_id, "lsn": place.lsn,
            "topic": topic, "partition": partition, "offset": offset,
        });
        writeln!(file, "{line}").map_err(failed)
    })?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(Orphans { file: path, events })
}
