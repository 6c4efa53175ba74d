//! What is on hand.

pub mod apply;
pub mod list;
mod store;
mod value;
