//! The vocabulary of Millrace: ids, amounts, quantities, the envelope, and one struct per event.
//!
//! A command builds an event struct and appends it to its outbox; everything downstream is derived
//! from the same struct: the topic, the JSON schema, the Arrow schema the source decodes into, the
//! base relation views read, the raw mart table and the documentation. See [`catalogue`].
//!
//! For: naming things once. Not for: IO, decisions, SQL.
//!
//! In: values made by the write services. Out: JSON envelopes, Arrow schemas, catalogue rows.

mod amount;
pub mod catalogue;
mod column;
mod envelope;
mod error;
pub mod event;
mod frontier;
pub mod header;
mod id;
mod position;
mod record;
mod token;

pub use amount::{Amount, Percent, Quantity, Rate};
pub use catalogue::{Event, EventSpec, Topic};
pub use column::{Column, ColumnSpec};
pub use envelope::{Envelope, EnvelopeRef};
pub use error::Error;
pub use frontier::Frontier;
pub use id::*;
pub use position::{Lsn, Position, PositionRange};
pub use record::Record;
pub use token::Token;
