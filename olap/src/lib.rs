//! The ClickHouse marts: tables derived from views and events, a loader, and a comparison.
//!
//! A [`MartSpec`] names a table's columns and how its rows are kept: *current* (one row per key),
//! *history* (every row that came or went) or *raw* (events as they were). The [`Loader`] makes the
//! tables, takes the changes of each epoch from the pipeline, and inserts them so that each counts once
//! however often a crash repeats it. README.md says why that holds.
//!
//! For: writing to ClickHouse and comparing with it. Not for: deciding which views have marts, reading
//! events, serving queries.
//!
//! In: [`LoadEpoch`]s. Out: tables in one ClickHouse database and the position they hold.

mod client;
mod ddl;
mod error;
mod load;
mod options;
mod progress;
mod reconcile;
mod rows;
mod spec;

pub use client::Clickhouse;
pub use ddl::{create_table, database_tables};
pub use error::{Error, Result};
pub use load::{BatchLog, BatchRange, Loader, LoaderStatus, NoLog, Start};
pub use options::{Connection, LoaderOptions};
pub use reconcile::{Difference, compare, difference, held};
pub use rows::{LoadEpoch, MartRows};
pub use spec::{MartKind, MartSpec, raw_marts};
