//! The write services together, on a real PostgreSQL.

mod batch;
mod connections;
mod contention;
mod idempotency;
mod invariants;
mod invoice;
mod ledger;
mod masters;
mod migrations;
mod numbers;
mod outbox;
mod problems;
mod random;
mod returns;
mod scope;
mod world;
