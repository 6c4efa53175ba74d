//! PIP-1 and PIP-2.

use std::collections::BTreeSet;

use millrace_events::Position;
use millrace_source::DeadLetter;
use millrace_views::{Audit, State, Status};

use crate::{Error, Finding};

/// PIP-1.
pub(crate) fn views_equal_batch(audit: &millrace_views::Result<Audit>) -> Finding {
    let mut finding =
        Finding::new("PIP-1", "a view at position P equals batch SQL over all events up to P");
    let audit = match audit {
        Ok(audit) => audit,
        Err(error) => {
            finding.violate(format!("the views can't be compared: {error}"));
            return finding.examined("no", "live views");
        }
    };
    let at = audit.position;
    for verified in &audit.views {
        let name = &verified.view;
        for row in &verified.difference.missing {
            finding.violate(format!("{name} at position {at}: batch SQL does not have {row}"));
        }
        for row in &verified.difference.surplus {
            finding.violate(format!("{name} at position {at}: the view does not have {row}"));
        }
    }
    let rows: usize = audit.views.iter().map(|verified| verified.rows).sum();
    finding.examined(rows, &format!("rows of {} live views", audit.views.len()))
}

/// How far the pipeline is, beside what the log says.
pub(crate) struct Passage<'a> {
    /// Before the log was read.
    pub(crate) status: Status,
    /// Why the views did not come to PostgreSQL's moment, if they did not.
    pub(crate) late: Option<Error>,
    pub(crate) log_end: Position,
    /// None when the log could not be read once more.
    pub(crate) audit: Option<&'a Audit>,
}

/// PIP-2.
pub(crate) fn all_is_accounted_for(passage: Passage<'_>, letters: &[DeadLetter]) -> Finding {
    let mut finding = Finding::new(
        "PIP-2",
        "every position is applied or kept as a dead letter; the views never pass the end of the log, and none has stopped",
    );
    let Passage { status, late, log_end, audit } = passage;
    if let State::Stopped { reason } = &status.state {
        finding.violate(format!("the pipeline has stopped: {reason}"));
    }
    if let Some(late) = late {
        finding.violate(format!("the views do not get to what PostgreSQL has committed: {late}"));
    }
    if status.position > log_end {
        let position = status.position;
        finding.violate(format!("the views are at position {position}, the log ends at {log_end}"));
    }
    for stopped in &status.stopped_views {
        finding.violate(format!("view {} has stopped: {}", stopped.view, stopped.reason));
    }
    let Some(audit) = audit else { return finding.examined("no", "positions: not read again") };
    let counted = (audit.applied, audit.dead_lettered);
    let dead = audit.undecodable.len() as u64;
    if counted != (audit.position.0.saturating_sub(dead), dead) {
        finding.violate(format!(
            "the pipeline counts {} events applied and {} dead-lettered up to position {}; {dead} are dead letters",
            counted.0, counted.1, audit.position
        ));
    }
    let events = letters.iter().flat_map(|letter| &letter.events);
    let kept: BTreeSet<Position> = events.map(|event| event.position).collect();
    for position in audit.undecodable.iter().filter(|position| !kept.contains(position)) {
        finding
            .violate(format!("position {position} was not applied, and no dead letter holds it"));
    }
    finding.examined(audit.position, &format!("positions, {dead} of them dead-lettered"))
}
