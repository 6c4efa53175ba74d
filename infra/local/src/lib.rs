//! PostgreSQL, a Kafka-protocol broker and ClickHouse as child processes under one data directory.
//!
//! For: `millrace up`, the tests and the benchmarks. Each part can be swapped for a server of the
//! user's own; then this crate only checks and passes on its address. Not for: what happens inside
//! the parts (migrations, topics, marts) or for any production cluster.
//!
//! In: [`Options`], the programs that `assets/fetch.sh` and the broker's build put into the cache.
//! Out: [`Endpoints`], and below the data directory: `postgres/`, `kafka/`, `clickhouse/`, `logs/`,
//! `run/` (process ids), `secrets.toml` (passwords, mode 0600), `ports.toml`, `.lock`.

mod broker;
pub mod clickhouse;
mod endpoints;
mod error;
mod lock;
mod options;
mod ports;
mod postgres;
mod secrets;
mod stack;
mod supervisor;
pub mod testing;
mod user;

pub use self::{
    endpoints::Endpoints,
    error::{Error, Result},
    options::{Assets, Options, Part, Port, PostgresSettings, cache_dir},
    stack::Stack,
    supervisor::{PartStatus, State},
};
