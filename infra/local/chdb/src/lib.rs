//! The ClickHouse engine as a library: a safe wrapper around `libchdb.so`, loaded at run time.
//!
//! For: the process that serves the embedded ClickHouse. Not for HTTP, users or sessions: that is
//! `millrace-local`. The library keeps one engine with one data folder per process; connections are
//! its sessions (settings, current database, temporary tables) and run statements in parallel, one
//! at a time each.
//!
//! In: SQL and bytes in any of ClickHouse's formats. Out: the same. Errors carry ClickHouse's codes.
//!
//! The only crate with unsafe code: calls into C, each with the reason why it holds.
#![expect(unsafe_code, reason = "a C library is called here and nowhere else")]

mod connection;
mod engine;
mod error;
mod result;
mod symbols;

pub use self::{
    connection::{Analysis, Class, Connection, Insert, Params, Stream},
    engine::Engine,
    error::{Error, Result},
    result::{Output, Progress},
};
