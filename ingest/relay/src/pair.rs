//! What the relay knows durably: the pair of LSN and position, in `relay.json`.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use millrace_events::{EventId, Lsn, Position, PositionRange};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::Error;

/// The last message of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub offset: i64,
    pub position: Position,
    pub event_id: EventId,
}

/// The last message of each partition of each topic that has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ends(BTreeMap<String, BTreeMap<i32, End>>);

impl Ends {
    #[must_use]
    pub fn get(&self, topic: &str, partition: i32) -> Option<&End> {
        self.0.get(topic)?.get(&partition)
    }

    pub fn set(&mut self, topic: &str, partition: i32, end: End) {
        match self.0.get_mut(topic) {
            Some(partitions) => {
                partitions.insert(partition, end);
            }
            None => {
                self.0.insert(topic.to_owned(), BTreeMap::from([(partition, end)]));
            }
        }
    }
}

/// The newest outbox row at or below a mark's position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastEvent {
    pub schema: String,
    pub event_id: EventId,
    /// As PostgreSQL writes it in UTC.
    pub recorded_at: String,
}

/// Everything committed before `lsn` is in the log, and has a position of at most `position`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub lsn: Lsn,
    pub position: Position,
    pub ends: Ends,
    pub last: Option<LastEvent>,
}

/// What a relay starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// PostgreSQL's system identifier.
    pub system_id: String,
    pub timeline: u32,
    pub slot: String,
    /// 1, and one more after each restore from a backup.
    pub incarnation: u32,
    /// Positions whose events the database does not have, since it was restored from a backup.
    #[serde(default)]
    pub orphaned: Vec<PositionRange>,
    /// Where replication starts: Kafka has acknowledged everything up to it.
    pub durable: Mark,
    /// What the slot may be confirmed up to: an earlier mark.
    pub confirmed: Mark,
}

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    crc32: u32,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// The state directory, held by one relay at a time.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    /// Its lock ends with it.
    _lock: File,
}

impl StateDir {
    const PAIR: &'static str = "relay.json";
    const LOCK: &'static str = "relay.lock";

    /// Takes the directory, which is made if it does not exist.
    ///
    /// # Errors
    /// [`Error::StateLocked`] while another relay holds it, [`Error::State`].
    pub fn lock(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(failed(path, "make the directory"))?;
        let lock_path = path.join(Self::LOCK);
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(failed(&lock_path, "open the lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::StateLocked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => Err(failed(&lock_path, "take the lock")(source)),
        }
    }

    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    #[must_use]
    pub fn pair_path(&self) -> PathBuf {
        self.path(Self::PAIR)
    }

    /// The pair, if one was ever written.
    ///
    /// # Errors
    /// [`Error::StateCorrupt`] when its checksum or shape is wrong, [`Error::State`].
    pub fn load_pair(&self) -> Result<Option<Pair>, Error> {
        self.load(Self::PAIR)
    }

    /// # Errors
    /// [`Error::State`] when it can't be made durable.
    pub fn store_pair(&self, pair: &Pair) -> Result<(), Error> {
        self.store(Self::PAIR, pair)
    }

    pub(crate) fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let path = self.path(name);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(&path, "read it")(source)),
        };
        let corrupt = |detail: String| Error::StateCorrupt { path: path.clone(), detail };
        let sealed: Sealed<'_> =
            serde_json::from_str(&text).map_err(|error| corrupt(error.to_string()))?;
        if crc32fast::hash(sealed.body.get().as_bytes()) != sealed.crc32 {
            return Err(corrupt("its checksum differs".into()));
        }
        serde_json::from_str(sealed.body.get())
            .map(Some)
            .map_err(|error| corrupt(error.to_string()))
    }

    /// Writes a file so that after a crash either the old or the new one is there, whole.
    pub(crate) fn store<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Error> {
        let path = self.path(name);
        let body = serde_json::value::to_raw_value(value)
            .map_err(|error| failed(&path, "write it as JSON")(error.into()))?;
        let sealed = Sealed { crc32: crc32fast::hash(body.get().as_bytes()), body: &body };
        let text = serde_json::to_vec(&sealed)
            .map_err(|error| failed(&path, "write it as JSON")(error.into()))?;
        let fresh = path.with_extension("fresh");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)?;
            File::open(&self.path)?.sync_all()
        };
        write().map_err(failed(&path, "make it durable"))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(failed(&path, "remove it")(source))
            }
            _ => Ok(()),
        }
    }
}

fn failed(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::State { path, doing, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> Pair {
        let mut ends = Ends::default();
        let end = End { offset: 4, position: Position(9), event_id: EventId::new() };
        ends.set("billing.events.v1", 1, end);
        let mark = Mark { lsn: Lsn(0x16_B374_8000), position: Position(9), ends, last: None };
        Pair {
            system_id: "7".into(),
            timeline: 1,
            slot: "s".into(),
            incarnation: 1,
            orphaned: Vec::new(),
            durable: mark.clone(),
            confirmed: mark,
        }
    }

    #[test]
    fn a_pair_comes_back_as_it_was_stored() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::lock(dir.path()).unwrap();
        assert_eq!(state.load_pair().unwrap(), None);
        state.store_pair(&pair()).unwrap();
        let first = state.load_pair().unwrap();
        assert_eq!(first.as_ref().map(|pair| pair.durable.lsn), Some(Lsn(0x16_B374_8000)));
        assert!(first.unwrap().durable.ends.get("billing.events.v1", 1).is_some());
    }

    #[test]
    fn each_flipped_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::lock(dir.path()).unwrap();
        let stored = pair();
        state.store_pair(&stored).unwrap();
        let whole = fs::read(state.pair_path()).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(state.pair_path(), &damaged).unwrap();
            let read = state.load_pair();
            assert!(
                matches!(read, Err(Error::StateCorrupt { .. } | Error::State { .. })),
                "byte {at}: {read:?}"
            );
        }
    }

    #[test]
    fn a_directory_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let held = StateDir::lock(dir.path()).unwrap();
        assert!(matches!(StateDir::lock(dir.path()), Err(Error::StateLocked { .. })));
        drop(held);
        assert!(StateDir::lock(dir.path()).is_ok());
    }
}
