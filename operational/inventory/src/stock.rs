//! What is on hand.

pub mod apply;
pub mod list;
mod row_id;
mod store;
mod value;
