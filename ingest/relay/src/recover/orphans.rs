//! Events of the log that a restored database does not have.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use crate::log::read::{self, Scanned};
use crate::log::topics::TopicInfo;
use crate::recover::gaps::Survey;
use crate::recover::{Orphans, RestorePoint};
use crate::{Error, RelayOptions};

/// Writes a JSON line for each event after the restore point. Commits are in the order of positions,
/// so a restored database has all events up to some position and none after it.
pub(crate) fn list(
    options: &RelayOptions,
    topics: &[TopicInfo],
    survey: &Survey,
    restored_to: RestorePoint,
    path: PathBuf,
) -> Result<Orphans, Error> {
    let restored = match restored_to {
        RestorePoint::Position(position) => position,
        RestorePoint::Outbox if survey.restored.0 == 0 && survey.events > 0 => {
            return Err(Error::RestorePointUnknown { events: survey.events });
        }
        RestorePoint::Outbox => survey.restored,
    };
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
