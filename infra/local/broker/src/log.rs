//! The log on disk: `<folder>/<topic id>/<partition>/<first offset>.log`.
//!
//! A batch is kept whole, as its producer sent it. What is acknowledged is with the operating system,
//! and so survives the death of the broker; it is made durable a second later at most.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use nisshi_sans_io::ErrorCode;
use uuid::Uuid;

mod batch;
mod partition;
mod producers;
mod segment;

pub use partition::{Partition, Retention};

/// How long what was acknowledged may be in the operating system's memory alone.
const SYNC_EVERY: Duration = Duration::from_secs(1);

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the producer must not write this: {0}")]
    Api(ErrorCode),
    #[error("a record batch can't be read: {0}")]
    Batch(String),
    #[error(
        "{} is damaged at byte {at}: restore the file, or move the log's folder away and let the relay \
         fill a new one", path.display()
    )]
    Damaged { path: PathBuf, at: u64 },
    #[error("{}: a segment ends at offset {end} and the next begins at {next}", folder.display())]
    Gap { folder: PathBuf, end: i64, next: i64 },
    #[error("{} is no file of the log: move it away", .0.display())]
    Stranger(PathBuf),
    #[error("the log's files: {0}")]
    Io(#[from] std::io::Error),
}

/// A partition's topic and number.
type Key = (Uuid, i32);

#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    partitions: RwLock<HashMap<Key, Arc<Mutex<Partition>>>>,
}

impl Log {
    /// Opens the log, and forgets the topics that are not among `topics` any more.
    pub fn open(folder: PathBuf, topics: &[Uuid]) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let id = Uuid::parse_str(name).map_err(|_| Error::Stranger(path.clone()))?;
            if !topics.contains(&id) {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(Self { folder, partitions: RwLock::default() })
    }

    /// Works with a partition, which is there or made.
    pub fn with<T>(&self, key: Key, work: impl FnOnce(&mut Partition) -> Result<T>) -> Result<T> {
        let known = read(&self.partitions).get(&key).cloned();
        let partition = match known {
            Some(partition) => partition,
            None => self.open_partition(key)?,
        };
        work(&mut lock(&partition))
    }

    fn open_partition(&self, key: Key) -> Result<Arc<Mutex<Partition>>> {
        let mut partitions = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        // Opened by another while this one waited.
        if let Some(partition) = partitions.get(&key) {
            return Ok(Arc::clone(partition));
        }
        let (topic, number) = key;
        let folder = self.folder.join(topic.to_string()).join(number.to_string());
        let partition = Arc::new(Mutex::new(Partition::open(folder)?));
        partitions.insert(key, Arc::clone(&partition));
        Ok(partition)
    }

    pub fn remove(&self, topic: Uuid) -> Result<()> {
        let mut partitions = self.partitions.write().unwrap_or_else(PoisonError::into_inner);
        partitions.retain(|(id, _), _| *id != topic);
        match fs::remove_dir_all(self.folder.join(topic.to_string())) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Makes what was written durable, over and over.
    pub async fn sync_forever(self: Arc<Self>) {
        let mut tick = tokio::time::interval(SYNC_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let log = Arc::clone(&self);
            let synced = tokio::task::spawn_blocking(move || log.sync()).await;
            match synced {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the log was not made durable"),
                Err(error) => tracing::error!(%error, "making the log durable"),
            }
        }
    }

    /// Makes what was written durable.
    pub fn sync(&self) -> Result<()> {
        let partitions: Vec<_> = read(&self.partitions).values().cloned().collect();
        for partition in partitions {
            let dirty = lock(&partition).take_dirty()?;
            if let Some(file) = dirty {
                file.sync_data()?;
            }
        }
        Ok(())
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// A panic leaves a partition as it was: what is known of it changes after its file did.
fn lock(partition: &Mutex<Partition>) -> MutexGuard<'_, Partition> {
    partition.lock().unwrap_or_else(PoisonError::into_inner)
}
