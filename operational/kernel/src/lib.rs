//! What every write service shares: transaction, outbox, idempotency, clock, problems.
