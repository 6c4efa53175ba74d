//! A product: what can be sold.

pub mod create;
pub mod delete;
pub mod list;
pub mod lookup;
pub mod read;
mod rules;
pub mod update;
