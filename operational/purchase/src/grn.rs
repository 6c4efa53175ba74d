//! Goods receipt notes.

pub mod receive;
mod store;
