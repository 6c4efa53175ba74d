//! One file a command.

pub mod dead_letters;
pub mod demo;
pub mod doctor;
pub mod migrate;
pub mod relay;
pub mod up;
pub mod views;

use std::io::{self, Write};

use anyhow::Result;

/// Writes text to stdout.
pub fn say(text: &str) -> Result<()> {
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}
