//! The books themselves, added up.

pub mod balance;
