//! The embedded ClickHouse: the engine as a library, in a child process of its own, behind
//! ClickHouse's HTTP interface.

mod child;
pub mod server;

pub use self::child::PASSWORD_VARIABLE;
pub(crate) use self::child::{ClickHouse, USER};
