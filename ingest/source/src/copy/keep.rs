//! Events appended to the copy's files in order, holes filled from the log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_events::{Position, Topic};
use object_store::ObjectStoreExt;
use parquet::errors::ParquetError;
use tokio::runtime::Runtime;

use super::write::SegmentWriter;
use super::{LogCopy, gapless};
use crate::assemble::Size;
use crate::log::{Log, LogOptions, pump};
use crate::{Assembler, BufferBounds, Cut, EpochTarget, Error, Message};

/// After a failure nothing is tried for this long, so that a store that is down costs little.
const BACK_OFF: Duration = Duration::from_secs(2);
/// A position that the log should hold has to come within this time.
const CATCH_UP_WAIT: Duration = Duration::from_secs(10);
const CATCH_UP_BOUNDS: BufferBounds = BufferBounds { positions_max: 32_768, bytes_max: 16 << 20 };
const CATCH_UP_TARGET: EpochTarget =
    EpochTarget { interval: Duration::ZERO, events_max: 4096, bytes_max: 8 << 20 };

pub(super) struct Keeper {
    copy: LogCopy,
    log: LogOptions,
    runtime: Arc<Runtime>,
    /// The last position in a file; none until it was looked up.
    end: Option<Position>,
    offsets: Offsets,
    writing: Option<Writing>,
    failed_at: Option<Instant>,
}

struct Writing {
    file: SegmentWriter,
    since: Instant,
    /// Offsets after its last event.
    offsets: Offsets,
}

impl Keeper {
    pub(super) fn new(copy: LogCopy, log: LogOptions, runtime: Arc<Runtime>) -> Self {
        Self {
            copy,
            log,
            runtime,
            end: None,
            offsets: Offsets::default(),
            writing: None,
            failed_at: None,
        }
    }

    /// The last position written.
    pub(super) fn end(&self) -> Position {
        self.end.unwrap_or(Position::START)
    }

    /// When there is something to do even if nothing more is handed over.
    pub(super) fn due(&self, wanted: Position) -> Option<Instant> {
        if self.next() <= wanted {
            return Some(self.failed_at.map_or_else(Instant::now, |at| at + BACK_OFF));
        }
        self.writing.as_ref().map(|writing| writing.since + self.copy.file_interval)
    }

    /// Appends events that follow each other; what lies between them and the copy's end is read
    /// from the log first, unless `is_over`.
    pub(super) fn keep(
        &mut self,
        messages: &[Message],
        is_over: impl Fn() -> bool,
    ) -> Result<(), Error> {
        let Some(first) = messages.first() else { return Ok(()) };
        if self.failed_at.is_some_and(|at| at.elapsed() < BACK_OFF) {
            return Ok(());
        }
        let kept = self
            .fill_up_to(first.position, is_over)
            .and_then(|is_filled| if is_filled { self.append(messages) } else { Ok(()) });
        self.failed_at = kept.is_err().then(Instant::now);
        kept
    }

    /// Reads what is missing up to `wanted` from the log, and closes the file if its time has come.
    pub(super) fn keep_up(
        &mut self,
        wanted: Position,
        is_over: impl Fn() -> bool,
    ) -> Result<(), Error> {
        let kept = self.fill_up_to(wanted.next(), is_over);
        self.failed_at = kept.is_err().then(Instant::now);
        kept?;
        match self.due(wanted) {
            Some(due) if due <= Instant::now() => self.close(),
            _ => Ok(()),
        }
    }

    fn append(&mut self, messages: &[Message]) -> Result<(), Error> {
        for message in messages {
            let next = self.next();
            if message.position < next {
                continue;
            }
            let writing = match &mut self.writing {
                Some(writing) => writing,
                None => self.writing.insert(Writing {
                    file: SegmentWriter::new(next).map_err(|error| unwritable(next, &error))?,
                    since: Instant::now(),
                    offsets: self.offsets.clone(),
                }),
            };
            writing.file.push(message).map_err(|error| unwritable(next, &error))?;
            writing.offsets.pass(message);
            if next.0.is_multiple_of(self.copy.file_events) {
                self.close()?;
            }
        }
        Ok(())
    }

    /// Writes the file that was begun. If that fails, its events are read from the log again.
    pub(super) fn close(&mut self) -> Result<(), Error> {
        let Some(Writing { file, offsets, .. }) = self.writing.take() else { return Ok(()) };
        let (first, last) = (file.first(), file.last());
        let path = self.copy.path(first, last);
        let bytes = file.finish(&offsets.by_topic()).map_err(|error| unwritable(first, &error))?;
        self.runtime
            .block_on(self.copy.store.put(&path, bytes.into()))
            .map_err(|source| Error::Store { path: path.to_string(), action: "written", source })?;
        self.end = Some(last);
        self.offsets = offsets;
        Ok(())
    }

    fn next(&self) -> Position {
        self.writing.as_ref().map_or(self.end(), |writing| writing.file.last()).next()
    }

    /// Whether everything below `position` is in the copy or about to be.
    fn fill_up_to(
        &mut self,
        position: Position,
        is_over: impl Fn() -> bool,
    ) -> Result<bool, Error> {
        if self.end.is_none() {
            let files = self.runtime.block_on(self.copy.files())?;
            if let Some(last) = gapless(&files, Position::START).last() {
                let segment = self.runtime.block_on(self.copy.segment(last))?;
                self.offsets = Offsets::of(&segment.offsets);
                self.end = Some(last.last);
            } else {
                self.end = Some(Position::START);
            }
        }
        if self.next() >= position {
            return Ok(true);
        }
        tracing::info!(
            from = self.next().0,
            to = position.0 - 1,
            "the log's second copy catches up"
        );
        let offsets = self.writing.as_ref().map_or(&self.offsets, |writing| &writing.offsets);
        let start = Cut {
            position: Position(self.next().0 - 1),
            offsets: offsets.by_topic(),
            ..Cut::default()
        };
        let reader = std::thread::current();
        let log = Log::open(&self.log, &start.offsets, move || reader.unpark(), &is_over)?;
        let mut assembler = Assembler::new(&start, CATCH_UP_BOUNDS, 1);
        let is_enough = |ready: Size| ready.events >= CATCH_UP_TARGET.events_max;
        let mut heard_at = Instant::now();
        while self.next() < position {
            if is_over() {
                return Ok(false);
            }
            // What is odd was judged when the source itself passed it.
            let pumped = pump(&log, &mut assembler, is_enough, |_| {})?;
            let mut messages = assembler.take(&CATCH_UP_TARGET)?;
            messages.retain(|message| message.position < position);
            self.append(&messages)?;
            if pumped.messages > 0 {
                heard_at = Instant::now();
            } else if messages.is_empty() {
                if heard_at.elapsed() > CATCH_UP_WAIT {
                    return Err(Error::Gap {
                        missing: self.next(),
                        seen: position,
                        waited: heard_at.elapsed(),
                    });
                }
                log.serve()?;
                std::thread::park_timeout(Duration::from_millis(20));
            }
        }
        Ok(true)
    }
}

/// Per topic and partition, the offset after the last event that passed.
#[derive(Clone, Debug, Default)]
struct Offsets(Vec<Vec<i64>>);

impl Offsets {
    fn of(by_topic: &BTreeMap<String, Vec<i64>>) -> Self {
        let offsets = Topic::ALL.iter().map(|topic| by_topic.get(topic.as_str()));
        Self(offsets.map(|offsets| offsets.cloned().unwrap_or_default()).collect())
    }

    fn pass(&mut self, message: &Message) {
        self.0.resize(Topic::ALL.len(), Vec::new());
        let offsets = &mut self.0[message.topic as usize];
        let index = usize::try_from(message.partition).expect("a partition is numbered from 0");
        if index >= offsets.len() {
            offsets.resize(index + 1, 0);
        }
        offsets[index] = offsets[index].max(message.offset + 1);
    }

    fn by_topic(&self) -> BTreeMap<String, Vec<i64>> {
        let names = Topic::ALL.iter().map(|topic| topic.as_str().to_owned());
        names.zip(self.0.iter().cloned()).collect()
    }
}

fn unwritable(position: Position, error: &ParquetError) -> Error {
    Error::CopyDamaged {
        path: format!("the file of position {position}"),
        reason: error.to_string(),
    }
}
