//! Kafka to Arrow: events in commit order, without gaps or copies, cut into epochs of whole
//! transactions.
//!
//! For: reading the log once, exactly, as fast as it comes, so that nothing behind it has to know of
//! partitions, offsets, retries or JSON. Not for: SQL, state, writing to topics (only the relay does).
//!
//! In: the topics of [`millrace_events::Topic`] and the relay's [`millrace_events::Frontier`]. Out: [`SourceEpoch`]s;
//! [`DeadLetters`] for what can't be decoded; a [`LogCopy`] in object storage.
//!
//! [`assemble`] and [`Cutter`] hold the rules and do no IO: messages in, epochs out.

pub mod assemble;
mod copy;
mod cutter;
mod dead_letters;
pub mod decode;
mod epoch;
mod error;
mod log;
mod message;
mod metrics;
mod options;
mod source;

pub use assemble::{Assembler, Frontiers, Missing, Offer};
pub use copy::{CopyFile, LogCopy};
pub use cutter::{CutEpoch, Cutter};
pub use dead_letters::{DeadEvent, DeadLetter, DeadLetters, ForeignMessage, Payload};
pub use decode::{Decoder, Undecodable};
pub use epoch::{Cut, SourceEpoch};
pub use error::Error;
pub use message::{EventType, Foreign, Message};
pub use options::{BufferBounds, Clock, EpochTarget, SourceOptions};
pub use source::{Source, SourceStatus};
