//! Integration tests of the oracle, in one binary.

mod slt;
mod tpch;
mod trial;
