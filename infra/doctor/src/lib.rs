//! The invariants as running checks.
