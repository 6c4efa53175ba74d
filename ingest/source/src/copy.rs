//! The second copy of the log: Parquet files by position in object storage. Events stay there when
//! a broker is lost, a replay can start there, and old copies are checked against it.
//!
//! A file `{first}-{last}.parquet` holds the events of all those positions, undecodable ones too,
//! and, in its metadata, the offsets to read next after them. The same positions always make the
//! same bytes, so a file written twice is written once.

mod keep;
mod read;
mod segment;
mod task;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use millrace_events::Position;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use uuid::Uuid;

pub(crate) use read::CopyReader;
use segment::Segment;
pub(crate) use task::CopyHandle;

use crate::{Error, Message};

/// Where the second copy is, and how it is cut into files.
#[derive(Clone, Debug)]
pub struct LogCopy {
    store: Arc<dyn ObjectStore>,
    folder: Path,
    /// A file holds at most this many events: it ends where the position is a multiple of it.
    pub file_events: u64,
    /// A file is closed after this long even if it is not full.
    pub file_interval: Duration,
}

/// Positions and the ids of their events.
pub(crate) type Ids = Vec<(Position, Uuid)>;
/// By topic, then by partition.
type Offsets = BTreeMap<String, Vec<i64>>;

/// One file of the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyFile {
    pub first: Position,
    pub last: Position,
    pub path: Path,
    pub bytes: u64,
}

impl LogCopy {
    /// A copy under `log/v1/` of `folder`.
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, folder: &Path) -> Self {
        Self {
            store,
            folder: folder.clone().join("log").join("v1"),
            file_events: 32_768,
            file_interval: Duration::from_secs(300),
        }
    }

    /// The files by position, without those that others hold wholly.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn files(&self) -> Result<Vec<CopyFile>, Error> {
        let listed = self.store.list(Some(&self.folder));
        let objects: Vec<_> = listed.try_collect().await.map_err(|source| Error::Store {
            path: self.folder.to_string(),
            action: "listed",
            source,
        })?;
        let mut files: Vec<CopyFile> = objects
            .into_iter()
            .filter_map(|object| {
                let name = object.location.filename()?.strip_suffix(".parquet")?;
                let (first, last) = name.split_once('-')?;
                Some(CopyFile {
                    first: Position(first.parse().ok()?),
                    last: Position(last.parse().ok()?),
                    bytes: object.size,
                    path: object.location,
                })
            })
            .collect();
        files.sort_unstable_by_key(|file| (file.first, std::cmp::Reverse(file.last)));
        let mut reached = Position::START;
        files.retain(|file| {
            let adds = file.last > reached;
            reached = reached.max(file.last);
            adds
        });
        Ok(files)
    }

    /// The position up to which the copy has every event.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn end(&self) -> Result<Position, Error> {
        let files = self.files().await?;
        Ok(gapless(&files, Position::START).last().map_or(Position::START, |file| file.last))
    }

    /// Every message of the copy, in order of position: for replaying it from memory.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::CopyDamaged`].
    pub async fn messages(&self) -> Result<Vec<Message>, Error> {
        let mut reader = CopyReader::open(self.clone(), Position::START).await?;
        let mut messages = Vec::new();
        while let Some(message) = reader.next().await? {
            messages.push(message);
        }
        Ok(messages)
    }

    /// The ids of the file that holds a position, if one does.
    pub(crate) async fn ids(&self, position: Position) -> Result<Ids, Error> {
        let files = self.files().await?;
        match files.iter().find(|file| (file.first..=file.last).contains(&position)) {
            Some(file) => self.segment(file).await?.ids(),
            None => Ok(Vec::new()),
        }
    }

    /// The ids of all events after `last` that the copy holds without a gap, and the offsets to read
    /// next after them. Nothing if the copy does not reach that far.
    pub(crate) async fn ids_after(&self, last: Position) -> Result<(Ids, Offsets), Error> {
        let mut files = self.files().await?;
        files.retain(|file| file.last > last);
        let (mut ids, mut offsets) = (Ids::new(), Offsets::new());
        for file in gapless(&files, last) {
            let segment = self.segment(file).await?;
            ids.extend(segment.ids()?);
            offsets = segment.offsets;
        }
        Ok((ids, offsets))
    }

    async fn segment(&self, file: &CopyFile) -> Result<Segment, Error> {
        let failed = |source| Error::Store { path: file.path.to_string(), action: "read", source };
        let object = self.store.get(&file.path).await.map_err(failed)?;
        Segment::open(&file.path, object.bytes().await.map_err(failed)?)
    }

    fn path(&self, first: Position, last: Position) -> Path {
        self.folder.clone().join(format!("{:020}-{:020}.parquet", first.0, last.0))
    }
}

/// The files, ordered by position, that follow each other without a gap from the one that holds the
/// position after `last`.
fn gapless(files: &[CopyFile], last: Position) -> &[CopyFile] {
    let mut reached = last;
    let is_gap = |file: &CopyFile| {
        let is_gap = file.first > reached.next();
        reached = reached.max(file.last);
        is_gap
    };
    let end = files.iter().position(is_gap).unwrap_or(files.len());
    &files[..end]
}
