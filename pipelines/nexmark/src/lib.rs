//! Nexmark: an auction house as a stream of events, and twenty queries over it.
//!
//! [`Event`]s are a pure function of their number ([`event`]), cut into [`Tables`] of Arrow columns. The
//! queries of [`QUERIES`] are SQL files, kept true by [`Incremental`] (the engine) and answered from scratch
//! by [`Batch`] (DataFusion). A [`Fingerprint`] says in 64 bits which rows a query has given, whatever the
//! order and the steps in which they came, so that results of any engine can be compared. [`write_events`]
//! gives the same events to programs in other languages.
//!
//! Left out are q6 (it sorts by the time a query ran in one engine and has no agreed meaning in the others),
//! q10 (it writes files, which is a sink and not a query) and q12 (it counts by the wall clock, so no two runs
//! give the same rows).

mod batch;
mod error;
mod event;
mod export;
mod fingerprint;
mod generator;
mod incremental;
mod query;
mod random;
mod table;

pub use batch::Batch;
pub use error::{Error, Result};
pub use event::{Auction, Bid, Event, Person};
pub use export::write_events;
pub use fingerprint::Fingerprint;
pub use generator::{BASE_TIME_MS, event};
pub use incremental::Incremental;
pub use query::{QUERIES, Query, find};
pub use table::{SIDE_ROWS, Tables, cut, side_input};
