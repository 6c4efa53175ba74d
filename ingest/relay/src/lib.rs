//! Outbox tables to Kafka, in commit order, with positions.
