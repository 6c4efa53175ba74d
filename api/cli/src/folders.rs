//! What is where below the data directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders of the roles; the embedded servers have theirs beside them.
#[derive(Clone, Debug)]
pub struct Folders {
    /// How far the relay is.
    pub relay: PathBuf,
    /// Checkpoints and what marts have not been sent yet.
    pub pipeline: PathBuf,
    /// The log's second copy and the dead letters.
    pub objects: PathBuf,
    /// Address, user and password of the demo, for its owner only.
    pub demo_login: PathBuf,
}

impl Folders {
    /// Makes them.
    ///
    /// # Errors
    /// A folder that can't be made, by name.
    pub fn make(data_dir: &Path) -> Result<Self> {
        let folders = Self {
            relay: data_dir.join("relay"),
            pipeline: data_dir.join("pipeline"),
            objects: data_dir.join("objects"),
            demo_login: data_dir.join("demo-login.json"),
        };
        for folder in [&folders.relay, &folders.pipeline, &folders.objects] {
            fs::create_dir_all(folder)
                .with_context(|| format!("making the folder {}", folder.display()))?;
        }
        Ok(folders)
    }
}
