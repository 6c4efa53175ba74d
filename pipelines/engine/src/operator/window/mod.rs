//! Window functions.

mod partitions;
mod running;
mod shift;

pub(crate) use partitions::{Partitions, PartitionsSpec};
pub(crate) use running::{Running, RunningSpec, Total, TotalCall};
pub(crate) use shift::{Shift, ShiftCall, ShiftSpec};
