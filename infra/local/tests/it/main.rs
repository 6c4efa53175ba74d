//! Tests of the embedded parts as their users see them.

mod broker;
mod clickhouse;
mod postgres;
mod process;
mod supervisor;
