//! The engines that are programs of their own.
//!
//! They get the events as a file of text, load it before their clock starts, and print one line: a
//! [`Measured`] as JSON.

use std::ffi::OsString;
use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use millrace_nexmark::{Query, write_events};
use tempfile::TempDir;
use tokio::process::Command;

use super::report::Measured;
use crate::args::{BenchNexmark, Peer};

/// Where the peers are built, under the cache.
const FOLDER: &str = "peers";
const EVENTS: &str = "events.csv";

pub struct Peers {
    programs: PathBuf,
    /// Holds the events; nothing when no peer reads them.
    folder: Option<TempDir>,
    arguments: Vec<OsString>,
}

impl Peers {
    /// Writes the events for the peers asked for.
    pub fn prepare(options: &BenchNexmark) -> Result<Self> {
        let programs = options.peers_dir.clone();
        let programs = programs.unwrap_or_else(|| millrace_local::cache_dir().join(FOLDER));
        let mut peers = Self { programs, folder: None, arguments: Vec::new() };
        for peer in &options.peers {
            let Some(file) = peers.needs(*peer) else { continue };
            let built = file.exists();
            ensure!(built, "{} is not there: `make bench-peers` builds it", file.display());
        }
        if options.peers.iter().any(|peer| peers.needs(*peer).is_some()) {
            let folder = tempfile::tempdir()?;
            let events = folder.path().join(EVENTS);
            write_events(options.events, &mut BufWriter::new(File::create(&events)?))?;
            peers.arguments = ["--events".into(), events.into_os_string()].into();
            for (name, value) in [
                ("--epoch-events", options.epoch_events.to_string()),
                ("--workers", options.workers.to_string()),
            ] {
                peers.arguments.extend([name.into(), value.into()]);
            }
            peers.folder = Some(folder);
        }
        Ok(peers)
    }

    /// What must have been built.
    fn needs(&self, peer: Peer) -> Option<PathBuf> {
        match peer {
            Peer::Datafusion => None,
            Peer::Dbsp => Some(self.programs.join("dbsp/nexmark-dbsp")),
            Peer::Flink => Some(self.programs.join("flink/run.sh")),
        }
    }

    /// Runs `query` on a peer and gives what it measured.
    pub async fn run(&self, peer: Peer, query: Query) -> Result<Measured> {
        let program = self.needs(peer).context("this engine is no program of its own")?;
        let output = Command::new(&program)
            .args(["--query", query.name])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .output()
            .await
            .with_context(|| format!("running {}", program.display()))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let end: Vec<&str> = said.lines().rev().take(5).collect();
        let end = || end.iter().rev().copied().collect::<Vec<_>>().join("; ");
        ensure!(output.status.success(), "{} failed: {}", program.display(), end());
        let line = String::from_utf8(output.stdout)?;
        serde_json::from_str(line.trim())
            .with_context(|| format!("{} printed no measurement: {line}", program.display()))
    }
}
