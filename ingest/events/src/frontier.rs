//! How far the log is complete: the message of the control topic.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Lsn, Position, PositionRange};

/// Each event committed at or before `lsn` has a position of at most `position`, and is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    pub lsn: Lsn,
    pub position: Position,
    pub at: DateTime<Utc>,
    /// Which life of the database it is: 1, and one more after each restore from a backup. LSNs are
    /// comparable within one incarnation only.
    pub incarnation: u32,
    /// Events of the log that the database does not have: it was restored from a backup that ends
    /// before them. Whole transactions, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub orphaned: Vec<PositionRange>,
}
