//! A bill, issued and paid at the till.

mod draft;
pub mod issue;
pub mod read;
mod store;
