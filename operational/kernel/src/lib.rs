//! What every write service shares: one transaction per command, the outbox, idempotency keys,
//! who may do what, the clock, and how a refusal is told.
//!
//! A write is a [`Command`]; [`Kernel::run`] checks it, runs it in one PostgreSQL transaction with
//! its outbox rows and its idempotency key, repeats it when PostgreSQL asks for that, and answers a
//! [`Done`] with the token a later read can wait for. Nothing else writes business rows.
//!
//! For: the machinery around a command. Not for: business rules (the contexts have them), reading
//! analytics (views answer those), issuing logins (the gateway does).
//!
//! In: HTTP requests or calls with a [`Context`]. Out: rows of the service's schema, outbox rows
//! that the relay reads, JSON answers and RFC 9457 problems.

pub mod actor;
pub mod arrays;
pub mod auth;
mod batch;
mod clock;
mod command;
mod connections;
mod context;
mod database;
mod dated;
mod deferred;
mod error;
pub mod http;
mod idempotency;
mod kernel;
mod migrate;
pub mod numbers;
mod outbox;
mod row;
pub mod testing;
mod trace;
mod transaction;
mod validate;
mod version;

pub use actor::{Actor, Permission};
pub use auth::{Authenticator, Claims};
pub use batch::{Batch, BatchCommand};
pub use clock::{Clock, SettableClock, SystemClock};
pub use command::{Command, Need};
pub use context::Context;
pub use database::DatabaseError;
pub use deferred::{Binds, Column, Value, value};
pub use error::{Error, FieldError, Refusal, Result};
pub use http::{Done, Id, IfMatch, Json, ListQuery, ListSpec, Page, Params, Problem};
pub use kernel::{Kernel, Settings};
pub use migrate::{KEY_AGE, Seed, Service, maintain, migrate, require_published};
pub use outbox::ROWS_MAX as OUTBOX_ROWS_MAX;
pub use row::FromRow;
pub use tokio_postgres::{Error as RowError, Row};
pub use transaction::{Tx, Values};
pub use validate::{FieldErrors, Validate};
pub use version::{Versioned, VersionedRows};
