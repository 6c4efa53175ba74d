//! Goods received.
