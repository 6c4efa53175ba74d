//! The log compared with the outbox rows there are.

use millrace_events::Position;

use super::found::Found;
use super::gaps::{self, Torn};
use super::life::Life;
use super::orphans;
use super::plan::PlannedRow;
use super::snapshot::Rows;
use super::{Orphans, Task};
use crate::log::message::Place;
use crate::log::read;
use crate::log::topics::TopicInfo;
use crate::{Error, RelayOptions, StateDir};

/// What a recovery has to do to the log.
pub(super) struct Survey {
    /// From now on.
    pub(super) life: Life,
    /// Listed, if the database was restored.
    pub(super) orphans: Option<Orphans>,
    /// The last position in use, once the tombstones are there.
    pub(super) last: Position,
    pub(super) tombstones: Vec<Place>,
    /// In the order of recording, which keeps the order of each aggregate.
    pub(super) lacking: Vec<PlannedRow>,
    /// The newest row that the log has for good.
    pub(super) newest: Option<PlannedRow>,
}

/// Reads the whole log. What was in flight when the slot was lost, or what the broker lost, may be
/// missing.
pub(super) fn survey(
    options: &RelayOptions,
    topics: &[TopicInfo],
    state: &StateDir,
    task: Task,
    mut rows: Rows,
) -> Result<Survey, Error> {
    let mut life = Life::known(task.pair, read::frontier(options)?);
    let found = Found::read(options, topics, &rows)?;
    let used = life.position;
    let torn = match found.whole_until(used) {
        whole if whole >= found.last_end.max(used) => Torn::default(),
        whole => gaps::torn(whole, used, &gaps::tail(options, topics, whole)?),
    };
    let filled = torn.tombstones.iter().map(|place| place.position);
    let last = filled.fold(found.last.max(used), Position::max);
    let mut orphans = None;
    if let Some(restored) = task.restored {
        life.restore(restored, last);
        let path = state.path(&format!("orphans-{}.jsonl", life.incarnation));
        orphans = Some(orphans::list(options, topics, restored.whole, path)?);
    }
    let newest =
        found.newest_held(&life.orphaned).and_then(|event_id| rows.get(&event_id)).cloned();
    let in_log = found.in_log(&life.orphaned);
    // Events of a transaction with a tombstone become dead letters: they are sent once more.
    rows.retain(|event_id, _| !in_log.contains(event_id) || torn.dead.contains(event_id));
    let mut lacking: Vec<_> = rows.into_values().collect();
    lacking
        .sort_unstable_by(|a, b| (&a.recorded_at, a.event_id).cmp(&(&b.recorded_at, b.event_id)));
    Ok(Survey { life, orphans, last, tombstones: torn.tombstones, lacking, newest })
}
