//! A customer: somebody known who buys.

pub mod create;
pub mod list;
pub mod lookup;
pub mod read;
pub mod update;
