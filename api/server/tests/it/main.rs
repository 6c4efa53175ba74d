//! The gateway over HTTP, on a real PostgreSQL.

mod harness;
mod login;
mod operations;
mod pages;
mod problems;
