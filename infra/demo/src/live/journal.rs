//! What the tills know to be sold, kept outside the system: one acknowledged invoice id per line.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use millrace_events::InvoiceId;
use parking_lot::Mutex;

/// An append-only file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TillJournal(Arc<Mutex<File>>);

impl TillJournal {
    /// # Errors
    /// When the file can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file =
            file.with_context(|| format!("opening the tills' journal {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// # Errors
    /// When the line can't be written.
    pub fn note(&self, invoice: InvoiceId) -> Result<()> {
        let line = format!("{invoice}\n");
        self.0.lock().write_all(line.as_bytes()).context("writing the tills' journal")
    }
}
