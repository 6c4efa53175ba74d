//! Streaming SQL: views written as SQL, kept true in time proportional to the change.
//!
//! Data comes in as [`Epoch`]s: for each relation an Arrow batch of rows with a weight each (+1 for a row
//! that came, −1 for one that went). Each SQL view is planned by DataFusion, lowered node by node into one
//! shared graph of operators, and [`Engine::step`] pushes the epoch's changes through it. What goes out is
//! the change of every view ([`EpochChanges`]) and, for views that keep their rows, an immutable
//! [`Snapshot`] that any DataFusion session can query.
//!
//! The engine does no IO, reads no clock and draws no random numbers: the time of an epoch is part of the
//! epoch, and checkpoints go through a [`CheckpointStore`] that is handed in. The same epochs give the same
//! changes, after a restore too.
//!
//! It is not a query server, not a connector framework and not a cluster: it knows neither Kafka nor the
//! business whose views it keeps.
//!
//! Where to look: `plan` turns SQL into operators, `operator` holds one file per operator,
//! `state` the columnar state they share, `checkpoint` what makes a restart exact.

mod checkpoint;
mod consolidation;
mod definition;
mod delta;
mod engine;
mod epoch;
mod error;
mod explain;
mod fault;
mod graph;
mod journal;
mod operator;
mod plan;
mod snapshot;
mod state;
mod store;
mod why;

pub use checkpoint::CheckpointId;
pub use definition::{Relation, RelationKind, ViewDefinition};
pub use delta::Delta;
pub use engine::{Engine, EngineConfig};
pub use epoch::{Cut, Epoch, EpochChanges, StoppedView};
pub use error::{Error, Result};
pub use explain::{Explain, OperatorReport, WorkTime};
pub use fault::{Fault, Place, planning as planning_fault};
pub use journal::{Journal, JournalEntry};
pub use snapshot::Snapshot;
pub use store::{CheckpointStore, DirStore, MemoryStore};
pub use why::{Because, Origin, Question, Why};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeIsTrue;
