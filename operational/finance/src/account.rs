//! Accounts: the chart every shop starts with.

pub mod chart;
pub mod open;
