//! Integration tests of the oracle, in one binary.

mod trial;
