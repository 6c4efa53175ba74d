//! The cuts of epochs since the last checkpoint, so that a replay makes the same epochs.
//!
//! A driver appends an epoch's cut before it hands out what the epoch changed. After a restore it reads the
//! entries behind the checkpoint and feeds the same epochs again: sinks see each epoch with the same
//! contents, and can skip those they have.

use serde::{Deserialize, Serialize};

use crate::{CheckpointStore, Cut, Error, Result};

const PREFIX: &str = "journal-";

/// One epoch that was about to be handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// Number of the epoch.
    pub epoch: u64,
    /// How far the inputs had been read.
    pub cut: Cut,
}

/// The journal of one engine, kept in its checkpoint store.
#[derive(Debug)]
pub struct Journal {
    /// The file appended to; named by the first epoch it may hold.
    current: String,
    /// The last epoch that has an entry.
    newest: u64,
}

fn file_name(first_epoch: u64) -> String {
    format!("{PREFIX}{first_epoch:020}")
}

impl Journal {
    /// Opens the journal of an engine restored at `epoch` (0 for a fresh one) and gives the entries after
    /// it, in order. An entry torn by a crash was never acted upon and is dropped.
    pub fn open(store: &mut dyn CheckpointStore, epoch: u64) -> Result<(Self, Vec<JournalEntry>)> {
        let mut entries: Vec<JournalEntry> = Vec::new();
        let mut current = file_name(epoch + 1);
        for name in store.list()?.into_iter().filter(|name| name.starts_with(PREFIX)) {
            let bytes = store.read(&name)?.unwrap_or_default();
            let (read, sound_bytes) = parse(&name, &bytes)?;
            if sound_bytes < bytes.len() {
                store.replace(&name, &bytes[..sound_bytes])?;
            }
            entries.extend(read.into_iter().filter(|entry| entry.epoch > epoch));
            current = name;
        }
        let newest = entries.last().map_or(epoch, |entry| entry.epoch);
        Ok((Self { current, newest }, entries))
    }

    /// Makes the cut of `epoch` durable.
    pub fn append(&mut self, store: &mut dyn CheckpointStore, epoch: u64, cut: &Cut) -> Result<()> {
        let entry = JournalEntry { epoch, cut: cut.clone() };
        let body = serde_json::to_vec(&entry).expect("a cut has string keys");
        let length = u32::try_from(body.len()).expect("a cut is far smaller than 4 GiB");
        let mut record = Vec::with_capacity(body.len() + 8);
        record.extend_from_slice(&length.to_le_bytes());
        record.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        record.extend_from_slice(&body);
        store.append(&self.current, &record)?;
        self.newest = self.newest.max(epoch);
        Ok(())
    }

    /// Starts a new file after the checkpoint of `epoch`, unless it was made on the way through a replay, and
    /// removes files that only hold epochs up to `oldest`, the epoch of the oldest checkpoint still kept.
    pub fn checkpointed(
        &mut self,
        store: &mut dyn CheckpointStore,
        epoch: u64,
        oldest: u64,
    ) -> Result<()> {
        if epoch >= self.newest {
            self.current = file_name(epoch + 1);
        }
        let mut names: Vec<String> =
            store.list()?.into_iter().filter(|name| name.starts_with(PREFIX)).collect();
        names.push(self.current.clone());
        names.sort();
        names.dedup();
        for pair in names.windows(2) {
            // A file ends where the next one starts.
            if pair[1] <= file_name(oldest + 1) {
                store.delete(&pair[0])?;
            }
        }
        Ok(())
    }
}

/// Entries of a file and how many of its bytes are sound. Only the end may be torn.
fn parse(name: &str, bytes: &[u8]) -> Result<(Vec<JournalEntry>, usize)> {
    let mut entries = Vec::new();
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + 8) {
        let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let checksum = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let Some(body) = bytes.get(at + 8..at + 8 + length) else { break };
        if crc32fast::hash(body) != checksum {
            if at + 8 + length == bytes.len() {
                break;
            }
            let problem = format!("checksum of the entry at byte {at} does not fit");
            return Err(Error::Damaged { name: name.to_owned(), problem });
        }
        let entry = serde_json::from_slice(body).map_err(|error| Error::Damaged {
            name: name.to_owned(),
            problem: error.to_string(),
        })?;
        entries.push(entry);
        at += 8 + length;
    }
    Ok((entries, at))
}
