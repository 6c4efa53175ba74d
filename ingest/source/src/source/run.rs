//! The reading thread: messages in, epochs out, one after the other.

mod copies;
mod orphans;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_events::Position;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::SourceStatus;
use super::gap::{GapWatch, Waited};
use super::span;
use crate::assemble::Size;
use crate::copy::{CopyHandle, CopyReader, Ids};
use crate::log::{Log, LogOptions, Odd, pump};
use crate::metrics::{self, Given};
use crate::{Assembler, CutEpoch, Cutter, Error, Offer, SourceEpoch, SourceOptions};

/// How long to sleep at most when there is nothing to do.
const IDLE: Duration = Duration::from_millis(20);
/// How often the status is told even if no epoch was given out.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// The thread's ends of everything that leaves it.
pub(super) struct Link {
    pub(super) give: mpsc::Sender<Result<SourceEpoch, Error>>,
    pub(super) tell: watch::Sender<SourceStatus>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) runtime: Arc<Runtime>,
    pub(super) copy: Option<CopyHandle>,
}

pub(super) struct Run {
    options: SourceOptions,
    link: Link,
    assembler: Assembler,
    cutter: Cutter,
    /// Since when a whole transaction waits to be given out.
    ready_since: Option<Instant>,
    gap: GapWatch,
    copies_dropped: u64,
    told_at: Option<Instant>,
    /// The missing position for which the log was last opened again.
    reopened_for: Option<Position>,
    reopen: bool,
    /// Ids of one file of the second copy.
    copied_ids: Ids,
    /// Where there are orphans: those kept already, and the events of replayed letters, with what their
    /// letters are called by.
    orphans: HashSet<Position>,
    replayed: HashMap<Uuid, Vec<Position>>,
}

/// By topic, then by partition.
type Offsets = BTreeMap<String, Vec<i64>>;

/// Whether to go on.
type Going = Result<bool, Error>;

impl Run {
    pub(super) fn run(
        options: SourceOptions,
        dead: HashSet<Position>,
        link: Link,
        from_copy: bool,
        opened: oneshot::Sender<Result<(), Error>>,
    ) {
        let mut run = Self {
            assembler: Assembler::new(&options.start, options.buffer, options.remembered_events),
            cutter: Cutter::new(options.start.clone()).leaving_dead(dead),
            options,
            link,
            ready_since: None,
            gap: GapWatch::default(),
            copies_dropped: 0,
            told_at: None,
            reopened_for: None,
            reopen: false,
            copied_ids: Ids::new(),
            orphans: HashSet::new(),
            replayed: HashMap::new(),
        };
        let mut opened = Some(opened);
        if let Err(error) = run.read_all(from_copy, &mut opened) {
            tracing::error!(code = error.code(), %error, "the source stops");
            match opened.take() {
                // Whoever opened the source may be gone by now, then nobody is left to tell.
                Some(opened) => drop(opened.send(Err(error))),
                None => drop(run.link.give.blocking_send(Err(error))),
            }
        }
    }

    fn read_all(
        &mut self,
        from_copy: bool,
        opened: &mut Option<oneshot::Sender<Result<(), Error>>>,
    ) -> Result<(), Error> {
        let options = LogOptions::live(&self.options);
        // Which events are orphans has to be known before the first is passed.
        let stop = self.link.stop.clone();
        let is_over = || stop.load(Ordering::Relaxed);
        let known = self.cutter.last_cut().incarnation;
        if let Some(frontier) = options.newest_frontier(known, is_over)? {
            self.hear(&frontier)?;
        }
        if from_copy && !self.read_copy(opened)? {
            return Ok(());
        }
        let mut from = self.remember()?;
        loop {
            let reader = std::thread::current();
            let stop = self.link.stop.clone();
            let is_over = || stop.load(Ordering::Relaxed);
            let log = Log::open(&options, &from, move || reader.unpark(), is_over)?;
            announce(opened);
            self.reopen = false;
            while !self.reopen {
                if !self.turn(&log)? {
                    return Ok(());
                }
            }
            from = read_from(
                self.assembler.offsets(),
                &Offsets::new(),
                self.options.remembered_events,
            );
        }
    }

    /// Reads the second copy to its end.
    fn read_copy(&mut self, opened: &mut Option<oneshot::Sender<Result<(), Error>>>) -> Going {
        let Some(copy) = self.options.copy.clone() else { return Ok(true) };
        let runtime = self.link.runtime.clone();
        let mut reader = runtime.block_on(CopyReader::open(copy, self.cutter.position()))?;
        announce(opened);
        while let Some(message) = runtime.block_on(reader.next())? {
            if let Offer::Unverified(message) = self.assembler.offer(message)? {
                return Err(self.assembler.too_old(&message));
            }
            if self.is_full() && !self.give_when_wanted()? {
                return Ok(false);
            }
        }
        Ok(self.assembler.ready().events == 0 || self.give_when_wanted()?)
    }

    fn give_when_wanted(&mut self) -> Going {
        let give = self.link.give.clone();
        let Ok(permit) = self.link.runtime.block_on(give.reserve()) else { return Ok(false) };
        permit.send(Ok(self.cut()?));
        Ok(!self.link.stop.load(Ordering::Relaxed))
    }

    /// One round: read what has come, give what is due, sleep if there was neither.
    fn turn(&mut self, log: &Log) -> Going {
        if self.link.stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let was_full = self.is_full();
        let read = if was_full { 0 } else { self.read(log)? };
        while let Some(frontier) = log.read_frontier() {
            self.hear(&frontier)?;
        }
        let gave = match self.give_if_due()? {
            Gave::Closed => return Ok(false),
            gave => gave == Gave::Epoch,
        };
        if was_full || !log.is_connected() {
            self.gap.pause();
        } else {
            self.look_for_gap()?;
        }
        self.tell_now_and_then(log.is_connected());
        if read == 0 && !gave {
            log.serve()?;
            std::thread::park_timeout(self.patience());
        }
        Ok(true)
    }

    fn read(&mut self, log: &Log) -> Result<usize, Error> {
        let target = self.options.target;
        let is_enough = |ready: Size| target.is_reached(ready);
        let mut odd = Vec::new();
        let pumped = pump(log, &mut self.assembler, is_enough, |it| odd.push(it))?;
        self.copies_dropped += pumped.copies;
        metrics::copies_dropped(pumped.copies);
        for odd in odd {
            match odd {
                Odd::Unverified(message) => self.verify(&message)?,
                Odd::Foreign { place, foreign, key, value } => {
                    let (topic, partition, offset) = place;
                    tracing::warn!(%topic, partition, offset, reason = foreign.reason, "a message that is no event");
                    metrics::foreign();
                    let letters = self.options.dead_letters.clone();
                    let place = (topic.as_str(), partition, offset);
                    let keep =
                        letters.keep_foreign(place, &foreign, key.as_deref(), value.as_deref());
                    self.link.runtime.block_on(keep)?;
                }
            }
        }
        Ok(pumped.messages)
    }

    fn give_if_due(&mut self) -> Result<Gave, Error> {
        let ready = self.assembler.ready();
        let is_due = if ready.events == 0 {
            self.ready_since = None;
            self.cutter.frontiers.would_pass(self.cutter.position())
        } else {
            let since = *self.ready_since.get_or_insert_with(Instant::now);
            self.is_full() || since.elapsed() >= self.options.target.interval
        };
        if !is_due {
            return Ok(Gave::Nothing);
        }
        let give = self.link.give.clone();
        match give.try_reserve() {
            Ok(permit) => {
                permit.send(Ok(self.cut()?));
                Ok(Gave::Epoch)
            }
            Err(TrySendError::Full(())) => Ok(Gave::Nothing),
            Err(TrySendError::Closed(())) => Ok(Gave::Closed),
        }
    }

    /// The next epoch, its dead letters kept.
    fn cut(&mut self) -> Result<SourceEpoch, Error> {
        self.ready_since = None;
        let messages = self.assembler.take(&self.options.target)?;
        let offsets = self.assembler.offsets();
        let span = span::of(&messages).entered();
        let started = Instant::now();
        let CutEpoch { epoch, dead_letters } = self.cutter.cut(&messages, offsets)?;
        let decoding = started.elapsed();
        for letter in &dead_letters {
            self.link.runtime.block_on(self.keep(letter))?;
        }
        let now = (self.options.clock)();
        let given = Given {
            events: messages.len(),
            bytes: messages
                .iter()
                .filter_map(|message| message.value.as_ref())
                .map(|value| value.len())
                .sum(),
            dead_lettered: dead_letters.iter().map(|letter| letter.events.len()).sum(),
            decoding,
            oldest_event_age: epoch.oldest_event_at.and_then(|at| (now - at).to_std().ok()),
        };
        given.record();
        drop(span);
        if let Some(copy) = &self.link.copy {
            copy.hand(messages, &self.link.runtime);
        }
        self.tell(true);
        Ok(epoch)
    }

    fn look_for_gap(&mut self) -> Result<(), Error> {
        let missing = self.assembler.missing();
        match self.gap.look(missing, Instant::now()) {
            Waited::NotYet => {}
            Waited::Noticed => {
                let position = missing.map(|missing| missing.position.0);
                tracing::warn!(position, "a position is missing; waiting for it");
                metrics::gap();
            }
            Waited::Long(waited) => {
                let Some(missing) = missing else { return Ok(()) };
                if waited >= self.options.gap_wait {
                    return Err(Error::Gap {
                        missing: missing.position,
                        seen: missing.seen,
                        waited,
                    });
                }
                // A broker that lost its tail is sent it again, below the offsets reached here, and
                // some brokers never say so: read once more from further back.
                if waited >= self.options.gap_wait / 2
                    && self.reopened_for.replace(missing.position) != Some(missing.position)
                {
                    tracing::warn!(position = missing.position.0, "reading the log's tail again");
                    self.reopen = true;
                }
            }
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.options.target.is_reached(self.assembler.ready())
    }

    fn patience(&self) -> Duration {
        let target = self.options.target.interval;
        let due = self.ready_since.map(|since| target.saturating_sub(since.elapsed()));
        // What is overdue waits for the pipeline, which unparks this thread.
        due.filter(|left| !left.is_zero()).map_or(IDLE, |left| left.min(IDLE))
    }

    fn tell_now_and_then(&mut self, is_connected: bool) {
        if self.told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            self.tell(is_connected);
        }
    }

    fn tell(&mut self, is_connected: bool) {
        self.told_at = Some(Instant::now());
        let cut = self.cutter.last_cut();
        let status = SourceStatus {
            position: cut.position,
            log_end: self.assembler.seen(),
            applied: cut.applied,
            dead_lettered: cut.dead_lettered,
            copies_dropped: self.copies_dropped,
            buffered_bytes: self.assembler.buffered_bytes(),
            gap: self.assembler.missing().filter(|_| self.gap.is_noticed()),
            copy_position: self.link.copy.as_ref().map(CopyHandle::position),
            is_connected,
        };
        metrics::status(&status);
        self.link.tell.send_replace(status);
    }
}

#[derive(PartialEq, Eq)]
enum Gave {
    Nothing,
    Epoch,
    Closed,
}

/// Where to read each partition from, so that what goes on at `next` is preceded by the messages to
/// be remembered: those that `copied` has not passed, and at most `count` of them.
fn read_from(mut next: Offsets, copied: &Offsets, count: usize) -> Offsets {
    for (topic, offsets) in &mut next {
        for (partition, offset) in offsets.iter_mut().enumerate() {
            let copied = copied.get(topic).and_then(|copied| copied.get(partition).copied());
            let earliest = offset.saturating_sub_unsigned(count as u64).max(0);
            *offset = copied.unwrap_or(0).max(earliest).min(*offset);
        }
    }
    next
}

fn announce(opened: &mut Option<oneshot::Sender<Result<(), Error>>>) {
    if let Some(opened) = opened.take() {
        // Whoever opened the source may have given up; the stop flag tells soon.
        drop(opened.send(Ok(())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_copy_lacks_is_read_again() {
        let offsets = |offsets: [i64; 4]| Offsets::from([("t".to_owned(), offsets.to_vec())]);
        let next = offsets([1000, 1000, 1000, 5]);
        let copied = offsets([990, 2000, 3, 0]);
        assert_eq!(read_from(next.clone(), &copied, 100), offsets([990, 1000, 900, 0]));
        assert_eq!(read_from(next, &Offsets::new(), 100), offsets([900, 900, 900, 0]));
    }
}
