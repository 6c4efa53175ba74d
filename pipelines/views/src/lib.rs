//! The ERP's views as SQL files, their registry, and the pipeline that keeps them true.
//!
//! A view is a file in `staging/`, `core/` or `live/`: a header that says what a row is, which columns
//! tell rows apart and where the view is served, then one `select`. [`Registry`] reads them all; the
//! engine's definitions, the live endpoints, the SQL tables and the marts are derived from it.
//! [`Pipeline`] feeds epochs of events to the engine, publishes every view's new snapshot at once, and
//! hands the changes to the marts.
//!
//! For: views, their order, and running them. Not for: decoding events (`millrace-source`), keeping a
//! view true (`millrace-engine`), writing to ClickHouse (`millrace-olap`), HTTP.
//!
//! In: epochs of events through an [`EpochFeed`]. Out: snapshots and changes through a
//! [`PipelineHandle`], mart rows through a loader, checkpoints in a folder.

mod batch;
pub mod case;
mod change;
mod error;
mod pipeline;
mod registry;

pub use batch::Tables;
pub use change::ViewChange;
pub use error::{Error, Result};
pub use pipeline::*;
pub use registry::{Mart, Registry, Serve, Texts, View};
