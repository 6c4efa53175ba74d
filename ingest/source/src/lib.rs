//! Kafka to Arrow epochs: ordered, de-duplicated, transaction-aligned.
