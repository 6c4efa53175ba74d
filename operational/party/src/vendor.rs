//! A vendor: somebody goods are bought from.

pub mod create;
pub mod lookup;
