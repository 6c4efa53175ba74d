//! Window functions.

mod partitions;
mod shift;

pub(crate) use partitions::{Partitions, PartitionsSpec};
pub(crate) use shift::{Shift, ShiftCall, ShiftSpec};
