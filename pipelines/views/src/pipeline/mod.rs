//! Events in, snapshots and marts out, one epoch at a time.

mod audit;
mod define;
mod definitions;
mod feed;
mod fill;
mod folder;
mod handle;
mod hub;
mod manage;
mod options;
mod place;
mod replay;
mod ring;
mod run;
mod served;
mod session;
mod split;
mod status;
mod subscribe;
mod trace;
mod why;

pub use audit::{Audit, Reconciled, Verified};
pub use feed::{EpochFeed, OpenFeed, Purpose};
pub use handle::{PipelineHandle, Target, ViewSnapshot};
pub use hub::Published;
pub use manage::Intent;
pub use options::PipelineOptions;
pub use place::StreamPlace;
pub use session::Pipeline;
pub use status::{
    CheckpointStatus, DefinitionState, DefinitionStatus, State, Status, StoppedViewStatus,
};
pub use subscribe::{Subscription, Update};
pub use why::Reason;
