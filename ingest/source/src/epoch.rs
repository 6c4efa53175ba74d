//! What the source hands to the pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use millrace_events::{Lsn, Position};
use serde::{Deserialize, Serialize};

/// Everything needed to go on after an epoch. Keep it with the state the epoch led to.
///
/// `applied + dead_lettered == position` always holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Number of the last epoch; the next one has the number after it.
    pub epoch: u64,
    /// The last position passed.
    pub position: Position,
    /// Events handed on so far.
    pub applied: u64,
    /// Events kept as dead letters so far, orphans among them.
    pub dead_lettered: u64,
    /// The database's incarnation whose events these are; 0 while the relay has told of none.
    pub incarnation: u32,
    /// Per topic, the offset to read next in each partition: the first one that holds an event
    /// not passed yet.
    pub offsets: BTreeMap<String, Vec<i64>>,
}

/// Whole transactions, all their rows, in position order.
///
/// An epoch without events only moves the frontier: its `first_position` is then one more than its
/// `last_position`, and `tables` is empty. An epoch whose events all became dead letters has
/// positions but no tables.
#[derive(Clone, Debug)]
pub struct SourceEpoch {
    pub number: u64,
    pub first_position: Position,
    pub last_position: Position,
    pub cut: Cut,
    /// One batch per event type that occurs, by the name of its base relation, rows in position
    /// order, columns as [`millrace_events::EventSpec::arrow_schema`] says.
    pub tables: Vec<(Arc<str>, RecordBatch)>,
    /// W3C trace contexts of some of the events: at most [`SourceEpoch::TRACEPARENTS_MAX`].
    pub traceparents: Vec<String>,
    /// When the oldest event of the epoch happened, by its own envelope.
    pub oldest_event_at: Option<DateTime<Utc>>,
    /// When the newest event of the epoch happened, by its own envelope.
    pub newest_event_at: Option<DateTime<Utc>>,
    /// The furthest frontier passed so far: every event committed at or before the LSN has a
    /// position at or below the position, and all of them are in this epoch or an earlier one.
    pub frontier: Option<(Lsn, Position)>,
}

impl SourceEpoch {
    /// How many trace contexts an epoch carries at most.
    pub const TRACEPARENTS_MAX: usize = 16;

    /// Rows in all tables: events handed on by this epoch.
    #[must_use]
    pub fn events(&self) -> usize {
        self.tables.iter().map(|(_, rows)| rows.num_rows()).sum()
    }

    /// Whether the epoch passes no position and only moves the frontier.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.first_position > self.last_position
    }
}
