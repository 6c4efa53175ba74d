//! PostgreSQL, Kafka broker and ClickHouse as child processes under one data directory.
