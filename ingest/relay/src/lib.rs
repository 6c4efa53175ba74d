//! The outbox tables of all services go to Kafka, in commit order, each event with its position.
//!
//! For: reading `<schema>.outbox` through the logical replication slot `millrace_relay`, counting
//! the rows, and producing them so that after any crash the log holds each position with the same
//! event. Not for: reading or changing envelopes, deciding anything, serving reads.
//!
//! In: PostgreSQL's write-ahead log through publication `millrace_outbox`. Out: one message per
//! outbox row on its topic (key = aggregate id, headers as in [`millrace_events::header`]), and on
//! the control topic how far the log is complete ([`millrace_events::Frontier`]).
//!
//! What is durable: `relay.json` in the state directory holds the [`Pair`]: up to which LSN and
//! position Kafka has acknowledged everything. It is written after Kafka's acknowledgements and
//! before the slot is confirmed, so replication restarts at an LSN whose position is known. The
//! slot is confirmed with a delay: a broker that lost its unsynced tail is sent it again.
//!
//! What stops it is an [`Error`] that names the remedy, and the remedies are in [`recover`].

mod error;
mod flight;
mod frontier;
mod known;
mod log;
mod monitor;
mod options;
mod outbox;
mod pair;
mod pgoutput;
mod postgres;
pub mod recover;
mod relay;
mod session;
mod status;
mod trace;

pub use error::{Error, Retry};
pub use options::{Clock, RelayOptions};
pub use outbox::drop_passed;
pub use pair::{End, Ends, LastEvent, Mark, Pair, StateDir};
pub use relay::{Relay, RelayHandle};
pub use status::{Phase, Status};
