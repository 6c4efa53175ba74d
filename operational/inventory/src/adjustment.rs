//! Corrections of stock by hand.

pub mod adjust;
