//! Transactions that could not be decoded, kept with the reason and every byte, until someone
//! replays them, and orphans: transactions that the database does not have since it was restored from
//! a backup. One object per transaction, named by its positions, one JSON line per event; keeping the
//! same transaction again writes the same object.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use millrace_events::{Lsn, Position, PositionRange};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, Foreign, Message};

const LETTER: &str = ".jsonl";
const ORPHANED: &str = ".orphaned.jsonl";
const REPLAYED: &str = ".replayed";
const FOREIGN: &str = "foreign";

/// The dead letters in one folder of an object store.
#[derive(Clone, Debug)]
pub struct DeadLetters {
    store: Arc<dyn ObjectStore>,
    folder: Path,
}

/// A transaction that was not applied: an event of it can't be decoded, or it is an orphan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Position of its first event: what it is called by.
    pub id: Position,
    pub last_position: Position,
    pub events: Vec<DeadEvent>,
    pub is_replayed: bool,
    /// The database does not have it, so that it can't be replayed.
    pub is_orphaned: bool,
}

/// One event of a dead letter, as it was in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadEvent {
    pub position: Position,
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    pub event_id: Uuid,
    pub event_type: String,
    pub lsn: Lsn,
    /// `n/m`, as in the log's header.
    pub transaction: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// Why the transaction is here: the reason of its undecodable event, with that event's position.
    pub reason: String,
    pub key: Payload,
    /// The envelope as it was; a tombstone has none.
    pub value: Option<Payload>,
}

/// A message that is no event: it has no place in the order and can't be replayed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignMessage {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
    /// Which header can't be read, and why.
    pub reason: String,
    pub key: Option<Payload>,
    pub value: Option<Payload>,
}

/// Bytes, shown as text where they are text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payload {
    Text(String),
    Base64(String),
}

impl Payload {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(STANDARD.encode(bytes)),
        }
    }

    /// The original bytes; none when the base64 was edited into something else.
    #[must_use]
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.clone().into_bytes()),
            Self::Base64(text) => STANDARD.decode(text).ok(),
        }
    }
}

impl DeadLetter {
    pub(crate) fn of(transaction: &[Message], undecodable: Position, reason: &str) -> Option<Self> {
        Self::with(transaction, format!("position {undecodable}: {reason}"), false)
    }

    /// A transaction that the restored database does not have.
    pub(crate) fn orphaned(transaction: &[Message]) -> Option<Self> {
        let reason = "the database was restored from a backup that does not have it";
        Self::with(transaction, reason.to_owned(), true)
    }

    fn with(transaction: &[Message], reason: String, is_orphaned: bool) -> Option<Self> {
        let (first, last) = (transaction.first()?, transaction.last()?);
        let events = transaction.iter().map(|message| DeadEvent {
            position: message.position,
            topic: message.topic.to_string(),
            partition: message.partition,
            offset: message.offset,
            event_id: message.event_id,
            event_type: message.event_type.as_str().to_owned(),
            lsn: message.lsn,
            transaction: format!("{}/{}", message.number, message.size),
            traceparent: message.traceparent.as_deref().map(str::to_owned),
            reason: reason.clone(),
            key: Payload::of(&message.key),
            value: message.value.as_deref().map(Payload::of),
        });
        Some(Self {
            id: first.position,
            last_position: last.position,
            events: events.collect(),
            is_replayed: false,
            is_orphaned,
        })
    }

    fn name(&self) -> Name {
        let Self { id, last_position, is_replayed, is_orphaned, .. } = *self;
        Name { id, last_position, is_replayed, is_orphaned }
    }
}

impl DeadLetters {
    #[must_use]
    pub fn new(store: Arc<dyn ObjectStore>, folder: Path) -> Self {
        Self { store, folder }
    }

    /// Keeps a letter; keeping it again changes nothing.
    pub(crate) async fn keep(&self, letter: &DeadLetter) -> Result<(), Error> {
        let mut lines = Vec::new();
        for event in &letter.events {
            serde_json::to_writer(&mut lines, event).expect("text, numbers and ids are JSON");
            lines.push(b'\n');
        }
        self.put(self.path(&letter.name().file()), lines).await
    }

    /// Keeps a message that has no place in the order of events.
    pub(crate) async fn keep_foreign(
        &self,
        (topic, partition, offset): (&str, i32, i64),
        foreign: &Foreign,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        let message = ForeignMessage {
            topic: topic.to_owned(),
            partition,
            offset,
            reason: foreign.reason.clone(),
            key: key.map(Payload::of),
            value: value.map(Payload::of),
        };
        let mut line = serde_json::to_vec(&message).expect("text and numbers are JSON");
        line.push(b'\n');
        let path = self.path(&format!("{FOREIGN}/{topic}-{partition}-{offset:020}{LETTER}"));
        self.put(path, line).await
    }

    /// Messages that are no events, at most `limit` of them, by topic, partition and offset.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::ForeignDamaged`].
    pub async fn foreign(&self, limit: usize) -> Result<Vec<ForeignMessage>, Error> {
        let folder = self.path(FOREIGN);
        let listed = self.store.list_with_delimiter(Some(&folder)).await;
        let listed = listed.map_err(|source| self.failed(&folder, "listed", source))?;
        let mut paths: Vec<Path> = listed.objects.into_iter().map(|it| it.location).collect();
        paths.retain(|path| path.filename().is_some_and(|name| name.ends_with(LETTER)));
        paths.sort_unstable();
        paths.truncate(limit);
        let mut messages = Vec::with_capacity(paths.len());
        for path in paths {
            let line = self.bytes(&path).await?;
            let message = serde_json::from_slice(&line).map_err(|error| Error::ForeignDamaged {
                path: path.to_string(),
                reason: error.to_string(),
            })?;
            messages.push(message);
        }
        Ok(messages)
    }

    /// The letters after `after`, at most `limit` of them, by position, orphans behind the others.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::DeadLetterDamaged`].
    pub async fn list(&self, after: Position, limit: usize) -> Result<Vec<DeadLetter>, Error> {
        let mut names = self.newest_names().await?;
        names.retain(|name| name.id > after);
        names.sort_by_key(|name| name.is_orphaned);
        names.truncate(limit);
        let mut letters = Vec::with_capacity(names.len());
        for name in names {
            letters.push(self.read(&name).await?);
        }
        Ok(letters)
    }

    /// Gives the letters with these ids, in the order of their positions, to `append`, which has to
    /// append their events to the outbox again, so that they get new positions. Each is marked once
    /// taken and not given again. A crash between the two gives it again: `append` should know an
    /// event id it has already appended.
    ///
    /// # Errors
    /// [`Error::NoDeadLetter`] and [`Error::Orphaned`] before anything is appended, [`Error::Replay`] at
    /// the first letter not taken; those before it stay marked.
    pub async fn replay<F, Taken, Reason>(
        &self,
        ids: &[Position],
        mut append: F,
    ) -> Result<usize, Error>
    where
        F: FnMut(DeadLetter) -> Taken,
        Taken: Future<Output = Result<(), Reason>>,
        Reason: std::fmt::Display,
    {
        let mut names = self.newest_names().await?;
        names.retain(|name| ids.contains(&name.id));
        if let Some(id) = ids.iter().find(|id| names.iter().all(|name| name.id != **id)) {
            return Err(Error::NoDeadLetter { id: *id });
        }
        if let Some(orphan) = names.iter().find(|name| name.is_orphaned) {
            return Err(Error::Orphaned { id: orphan.id });
        }
        let mut replayed = 0;
        for name in names.iter().filter(|name| !name.is_replayed) {
            let letter = self.read(name).await?;
            append(letter)
                .await
                .map_err(|reason| Error::Replay { id: name.id, reason: reason.to_string() })?;
            self.put(self.path(&replayed_mark(name.id)), Vec::new()).await?;
            replayed += 1;
        }
        Ok(replayed)
    }

    /// What the letters after `after` that could not be decoded are called by.
    pub(crate) async fn ids_after(&self, after: Position) -> Result<HashSet<Position>, Error> {
        let names = self.names().await?.into_iter().filter(|name| !name.is_orphaned);
        Ok(names.map(|name| name.id).filter(|id| *id > after).collect())
    }

    /// Forgets orphans outside `orphaned`, which a better backup brought back; tells what those that are
    /// left are called by.
    pub(crate) async fn keep_orphans_within(
        &self,
        orphaned: &[PositionRange],
    ) -> Result<HashSet<Position>, Error> {
        let mut left = HashSet::new();
        for name in self.names().await?.into_iter().filter(|name| name.is_orphaned) {
            if orphaned.iter().any(|range| range.contains(name.id)) {
                left.insert(name.id);
            } else {
                self.delete(self.path(&name.file())).await?;
            }
        }
        Ok(left)
    }

    /// Events of replayed letters, by id, with what their letters are called by: a replay may die too.
    pub(crate) async fn replayed_events(&self) -> Result<HashMap<Uuid, Vec<Position>>, Error> {
        let mut events: HashMap<Uuid, Vec<Position>> = HashMap::new();
        for name in self.names().await?.iter().filter(|name| name.is_replayed) {
            let letter = self.read(name).await?;
            for event in &letter.events {
                events.entry(event.event_id).or_default().push(name.id);
            }
        }
        Ok(events)
    }

    /// The letter can be replayed again: what its replay had appended is an orphan.
    pub(crate) async fn forget_replay(&self, id: Position) -> Result<(), Error> {
        self.delete(self.path(&replayed_mark(id))).await
    }

    /// One name for each letter: one that was kept when it could not be decoded may have become an
    /// orphan since.
    async fn newest_names(&self) -> Result<Vec<Name>, Error> {
        let mut names = self.names().await?;
        names.dedup_by_key(|name| name.id);
        Ok(names)
    }

    /// By position, orphans first.
    async fn names(&self) -> Result<Vec<Name>, Error> {
        let listed = self.store.list_with_delimiter(Some(&self.folder)).await;
        let listed = listed.map_err(|source| self.failed(&self.folder, "listed", source))?;
        let files: HashSet<&str> =
            listed.objects.iter().filter_map(|object| object.location.filename()).collect();
        let mut names: Vec<Name> = files
            .iter()
            .filter_map(|file| {
                let orphan = file.strip_suffix(ORPHANED);
                let is_orphaned = orphan.is_some();
                let (first, last) = orphan.or(file.strip_suffix(LETTER))?.split_once('-')?;
                let id = Position(first.parse().ok()?);
                let last_position = Position(last.parse().ok()?);
                let is_replayed = !is_orphaned && files.contains(replayed_mark(id).as_str());
                Some(Name { id, last_position, is_replayed, is_orphaned })
            })
            .collect();
        names.sort_unstable_by_key(|name| (name.id, !name.is_orphaned));
        Ok(names)
    }

    async fn read(&self, name: &Name) -> Result<DeadLetter, Error> {
        let lines = self.bytes(&self.path(&name.file())).await?;
        let events = serde_json::Deserializer::from_slice(&lines).into_iter();
        let events = events
            .collect::<Result<Vec<DeadEvent>, _>>()
            .map_err(|error| Error::DeadLetterDamaged { id: name.id, reason: error.to_string() })?;
        Ok(DeadLetter {
            id: name.id,
            last_position: name.last_position,
            events,
            is_replayed: name.is_replayed,
            is_orphaned: name.is_orphaned,
        })
    }

    async fn bytes(&self, path: &Path) -> Result<Vec<u8>, Error> {
        let failed = |source| self.failed(path, "read", source);
        let object = self.store.get(path).await.map_err(failed)?;
        let chunks: Vec<bytes::Bytes> = object.into_stream().try_collect().await.map_err(failed)?;
        Ok(chunks.concat())
    }

    async fn put(&self, path: Path, bytes: Vec<u8>) -> Result<(), Error> {
        match self.store.put(&path, bytes.into()).await {
            Ok(_) => Ok(()),
            Err(source) => Err(self.failed(&path, "written", source)),
        }
    }

    /// Deletes an object; one that is gone already is as good.
    async fn delete(&self, path: Path) -> Result<(), Error> {
        match self.store.delete(&path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(self.failed(&path, "deleted", source)),
        }
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.folder.clone(), |path, part| path.join(part))
    }

    fn failed(&self, path: &Path, action: &'static str, source: object_store::Error) -> Error {
        Error::Store { path: path.to_string(), action, source }
    }
}

struct Name {
    id: Position,
    last_position: Position,
    is_replayed: bool,
    is_orphaned: bool,
}

impl Name {
    fn file(&self) -> String {
        let ending = if self.is_orphaned { ORPHANED } else { LETTER };
        format!("{:020}-{:020}{ending}", self.id.0, self.last_position.0)
    }
}

/// The mark of a letter that was replayed.
fn replayed_mark(id: Position) -> String {
    format!("{:020}{REPLAYED}", id.0)
}
