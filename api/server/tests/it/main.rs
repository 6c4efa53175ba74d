//! The gateway over HTTP, on a real PostgreSQL.

mod client;
mod collector;
mod definitions;
mod document;
mod feed;
mod harness;
mod login;
mod operations;
mod pages;
mod problems;
mod streams;
mod traces;
mod views;
