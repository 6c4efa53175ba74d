//! Tests of the events, the queries and their fingerprints.

mod fingerprint;
mod generator;
mod queries;
