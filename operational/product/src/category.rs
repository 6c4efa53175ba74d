//! Categories: a tree of products.

pub mod create;
pub mod list;
