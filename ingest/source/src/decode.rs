//! JSON straight into Arrow: one pass over the bytes, driven by the event's schema, no values in
//! between. What does not fit exactly is refused, and the rows of its transaction are taken back.

mod column;
mod envelope;
mod plan;
mod scan;
mod table;
mod tables;
mod text;

use std::fmt;

pub use tables::{Decoded, Decoder};

/// Why an event can't be decoded, and which field says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undecodable {
    /// For example `payload.lines[2].quantity`; empty for the message as a whole.
    pub field: String,
    pub what: String,
}

impl Undecodable {
    #[cold]
    pub(crate) fn new(what: impl Into<String>) -> Box<Self> {
        Box::new(Self { field: String::new(), what: what.into() })
    }

    #[cold]
    pub(crate) fn within(mut self: Box<Self>, field: &str) -> Box<Self> {
        self.field = match self.field.as_str() {
            "" => field.to_owned(),
            inner if inner.starts_with('[') => format!("{field}{inner}"),
            inner => format!("{field}.{inner}"),
        };
        self
    }
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.what)
        } else {
            write!(f, "{}: {}", self.field, self.what)
        }
    }
}

/// Boxed: the error is rare and its size would be carried by every field that decodes.
pub(crate) type Result<T> = std::result::Result<T, Box<Undecodable>>;
