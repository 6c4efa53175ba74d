//! The oracle: a view kept by the engine against what batch SQL answers.
//!
//! A [`Trial`] has tables with their final rows and one view. It writes a random script of epochs from a
//! seed: rows come, go and come again, rows stand with wrong values until they are put right, rows that do
//! not belong come and leave. After the last epoch the tables hold exactly the rows they were given. Each
//! epoch is fed to a [`millrace_engine::Engine`]; a trial that verifies asks DataFusion for the batch answer
//! over the tables as they are after every single epoch and compares:
//!
//! * the sum of the view's changes with its snapshot: bit by bit, only −0 counts as 0;
//! * the snapshot with the batch answer: as multisets of rows. Integers, decimals, text, dates and all else
//!   exactly; floats by a tolerance ([`RELATIVE_TOLERANCE`], for 32-bit floats and smaller
//!   [`RELATIVE_TOLERANCE_SINGLE`]; near zero the same number absolutely), since sums under retraction round
//!   differently. NaN equals NaN, an infinity itself only, −0 equals 0.
//!
//! Where SQL leaves the answer open, [`Freedom`] says how much, and the comparison asks for no more. A batch
//! error must be matched by the view's stop at the same epoch, and the other way round.

mod batch;
mod compare;
mod encode;
mod error;
mod freedom;
mod order;
mod script;
mod table;
mod trial;

pub use batch::{referenced_tables, session};
pub use compare::{Difference, RELATIVE_TOLERANCE, RELATIVE_TOLERANCE_SINGLE};
pub use error::{Error, Result};
pub use freedom::Freedom;
pub use order::{Order, sorted};
pub use table::Table;
pub use trial::{End, Outcome, Trial};
