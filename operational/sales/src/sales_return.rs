//! Goods of an invoice, taken back and paid back.

pub mod process;
mod refund;
mod store;
