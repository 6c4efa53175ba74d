//! The relay's side of PostgreSQL: address, facts about server and slot, admission, slots.

mod address;
pub(crate) mod admit;
pub(crate) mod inspect;
pub(crate) mod slot;

pub(crate) use address::{pool, replication};

/// Wraps what sqlx says with what was being done.
pub(crate) fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> crate::Error {
    move |source| crate::Error::Postgres { doing, source }
}
