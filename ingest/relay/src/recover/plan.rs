//! What a recovery is about to publish, durable before it begins.

use millrace_events::{EventId, Lsn, Position, PositionRange};
use serde::{Deserialize, Serialize};

use crate::log::message::Place;

/// An outbox row that the log lacks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct PlannedRow {
    pub(crate) schema: String,
    /// As PostgreSQL writes it in UTC.
    pub(crate) recorded_at: String,
    pub(crate) event_id: EventId,
}

/// A recovery: the new slot, and what to send before replication starts from it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) system_id: String,
    pub(crate) timeline: u32,
    pub(crate) slot: String,
    pub(crate) incarnation: u32,
    #[serde(default)]
    pub(crate) orphaned: Vec<PositionRange>,
    /// The new slot starts here; the rows were committed before.
    pub(crate) lsn: Lsn,
    /// Position of the first row.
    pub(crate) first: Position,
    /// Positions the log lacks whose rows nobody knows.
    pub(crate) tombstones: Vec<Place>,
    /// One transaction, in this order.
    pub(crate) rows: Vec<PlannedRow>,
    /// The newest row that the log has already: the last event sent, where there are no others.
    #[serde(default)]
    pub(crate) newest: Option<PlannedRow>,
}

impl Plan {
    pub(crate) const FILE: &'static str = "relay-recovery.json";
}
