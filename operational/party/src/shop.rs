//! A shop: a place that sells and holds stock.

pub mod list;
pub mod lookup;
pub mod open;
