//! What one check found.

use std::fmt::Display;

use serde::Serialize;

/// Violating rows that are named, at most.
const ROWS_NAMED_MAX: usize = 20;

/// A numbered invariant, whether it holds, and what violates it.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub id: &'static str,
    pub statement: &'static str,
    /// How many things were looked at, and what they are.
    pub examined: String,
    pub violations: u64,
    /// The first of them, as text.
    pub rows: Vec<String>,
}

impl Finding {
    #[must_use]
    pub fn new(id: &'static str, statement: &'static str) -> Self {
        Self { id, statement, examined: String::new(), violations: 0, rows: Vec::new() }
    }

    #[must_use]
    pub fn examined(mut self, count: impl Display, of: &str) -> Self {
        self.examined = format!("{count} {of}");
        self
    }

    pub fn violate(&mut self, row: impl Into<String>) {
        self.violations += 1;
        if self.rows.len() < ROWS_NAMED_MAX {
            self.rows.push(row.into());
        }
    }

    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations == 0
    }
}
