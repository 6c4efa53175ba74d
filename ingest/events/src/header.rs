//! Names of the Kafka headers every business event carries. All values are ASCII text.

/// The event's [`crate::Position`].
pub const POSITION: &str = "millrace-position";
/// [`crate::Lsn`] of the end of its transaction's commit record.
pub const LSN: &str = "millrace-lsn";
/// `n/m`: the n-th of m events of its transaction.
pub const TRANSACTION: &str = "millrace-txn";
pub const EVENT_ID: &str = "event-id";
pub const EVENT_TYPE: &str = "event-type";
/// W3C trace context of the command that caused the event; left out when it had none.
pub const TRACEPARENT: &str = "traceparent";
