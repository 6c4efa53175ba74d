//! Unsent epochs, bounded, and when the next batch of them is due.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use millrace_events::Position;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{BatchRange, LoaderStatus, Start};
use crate::{Error, LoadEpoch, LoaderOptions, Result};

/// Epochs to be sent together.
#[derive(Debug)]
pub(super) struct Batch {
    pub range: BatchRange,
    pub epochs: Vec<Arc<LoadEpoch>>,
    /// When the oldest of them was queued.
    pub since: Instant,
}

#[derive(Debug)]
struct Waiting {
    epoch: Arc<LoadEpoch>,
    since: Instant,
}

#[derive(Debug, Default)]
struct State {
    epochs: VecDeque<Waiting>,
    rows: usize,
    acknowledged: Position,
    /// End of the batch being sent.
    sending: Option<Position>,
    /// Batches (first to last) that may have been sent already: they are cut in the same places.
    noted: BTreeMap<Position, Position>,
    hold: Option<Position>,
    is_closed: bool,
    failing: Option<String>,
    /// What stopped the loader for good.
    failure: Option<Arc<Error>>,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Notify,
    flush_interval: Duration,
    batch_rows_max: usize,
    queue_rows_max: usize,
    queue_epochs_max: usize,
}

/// What the loader should do now.
enum Next {
    Send(Batch),
    WaitUntil(Instant),
    Wait,
    Stop,
}

impl Queue {
    pub fn new(options: &LoaderOptions, start: &Start) -> Self {
        let since = Instant::now();
        let epochs: VecDeque<Waiting> = start
            .unsent
            .iter()
            .map(|epoch| Waiting { epoch: Arc::new(epoch.clone()), since })
            .collect();
        let rows = epochs.iter().map(|waiting| waiting.epoch.num_rows()).sum();
        let acknowledged = epochs
            .front()
            .map_or(start.from, |oldest| Position(oldest.epoch.first_position.0.saturating_sub(1)));
        let behind = start.noted.iter().filter(|range| range.first > acknowledged);
        let noted = behind.map(|range| (range.first, range.last)).collect();
        Self {
            state: Mutex::new(State { epochs, rows, acknowledged, noted, ..State::default() }),
            changed: Notify::new(),
            flush_interval: options.flush_interval,
            batch_rows_max: options.batch_rows_max,
            queue_rows_max: options.queue_rows_max,
            queue_epochs_max: options.queue_epochs_max.max(1),
        }
    }

    /// Runs `look` on the state until it gives something.
    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            let found = look(&mut self.state.lock());
            if let Some(found) = found {
                return found;
            }
            changed.await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let outcome = change(&mut self.state.lock());
        self.changed.notify_waiters();
        outcome
    }

    pub async fn push(&self, epoch: LoadEpoch) -> Result<()> {
        let rows = epoch.num_rows();
        let mut epoch = Some(Arc::new(epoch));
        let pushed = self
            .until(|state| {
                if let Some(failure) = stopped(state) {
                    return Some(Err(failure));
                }
                let has_room = state.epochs.len() < self.queue_epochs_max
                    && (state.rows == 0 || state.rows + rows <= self.queue_rows_max);
                if !has_room && !is_completing_noted(state) {
                    return None;
                }
                state.rows += rows;
                let waiting = epoch.take().map(|epoch| Waiting { epoch, since: Instant::now() });
                state.epochs.extend(waiting);
                Some(Ok(()))
            })
            .await;
        self.changed.notify_waiters();
        pushed
    }

    /// The next batch once it is due; `None` when the queue is closed and empty.
    pub async fn next_batch(&self) -> Option<Batch> {
        loop {
            let changed = self.changed.notified();
            let next = self.next(&mut self.state.lock(), Instant::now());
            match next {
                Next::Send(batch) => return Some(batch),
                Next::Stop => return None,
                Next::Wait => changed.await,
                Next::WaitUntil(due) => {
                    tokio::select! {
                        () = changed => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
            }
        }
    }

    fn next(&self, state: &mut State, now: Instant) -> Next {
        let Some(oldest) = state.epochs.front() else {
            return if state.is_closed { Next::Stop } else { Next::Wait };
        };
        let since = oldest.since;
        let rest = || if state.is_closed { Next::Stop } else { Next::Wait };
        let first = state.acknowledged.next();
        let noted = state.noted.get(&first).copied();
        if noted.is_some_and(|end| state.hold.is_some_and(|hold| hold < end)) {
            return rest();
        }
        let before_noted = || {
            let (first_noted, _) = state.noted.range(first..).next()?;
            Some(Position(first_noted.0 - 1))
        };
        let limit = noted.or_else(|| match (before_noted(), state.hold) {
            (Some(end), Some(hold)) => Some(end.min(hold)),
            (end, hold) => end.or(hold),
        });
        let mut rows = 0;
        let mut count = 0;
        let mut is_full = false;
        for waiting in &state.epochs {
            if limit.is_some_and(|limit| waiting.epoch.position > limit) {
                is_full = true;
                break;
            }
            rows += waiting.epoch.num_rows();
            count += 1;
            if noted.is_none() && rows >= self.batch_rows_max {
                is_full = true;
                break;
            }
        }
        if count == 0 {
            return rest();
        }
        let last = state.epochs[count - 1].epoch.position;
        let is_due = match noted {
            // What was noted must be sent whole, or its repetition would not be recognised.
            Some(end) => last == end || is_full,
            None => is_full || state.is_closed || state.hold == Some(last),
        };
        if !is_due && noted.is_some() {
            return rest();
        }
        let due = since + self.flush_interval;
        if !is_due && now < due {
            return Next::WaitUntil(due);
        }
        state.sending = Some(last);
        // Should it fail, some marts may have it: with the epochs that come meanwhile it would be
        // another batch, which they would take again.
        state.noted.insert(first, last);
        let range = BatchRange { first, last };
        let epochs =
            state.epochs.iter().take(count).map(|waiting| Arc::clone(&waiting.epoch)).collect();
        Next::Send(Batch { range, epochs, since })
    }

    /// All marts include the batch that ends at `position`.
    pub fn acknowledge(&self, position: Position) {
        self.change(|state| {
            while state.epochs.front().is_some_and(|oldest| oldest.epoch.position <= position) {
                let sent = state.epochs.pop_front().map_or(0, |waiting| waiting.epoch.num_rows());
                state.rows -= sent;
            }
            state.acknowledged = position;
            state.sending = None;
            state.failing = None;
            state.noted.retain(|first, _| *first > position);
        });
    }

    pub fn failing(&self, reason: String) {
        self.change(|state| state.failing = Some(reason));
    }

    pub fn fail(&self, failure: Error) {
        self.change(|state| state.failure = Some(Arc::new(failure)));
    }

    pub fn close(&self) {
        self.change(|state| state.is_closed = true);
    }

    pub fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    /// Waits until the queue is closed.
    pub async fn closed(&self) {
        self.until(|state| state.is_closed.then_some(())).await;
    }

    pub fn unsent(&self) -> Vec<Arc<LoadEpoch>> {
        self.state.lock().epochs.iter().map(|waiting| Arc::clone(&waiting.epoch)).collect()
    }

    pub fn acknowledged(&self) -> Position {
        self.state.lock().acknowledged
    }

    /// Waits until the loader has stopped for good, and tells why.
    pub async fn failed(&self) -> Error {
        self.until(|state| state.failure.is_some().then(|| stopped(state)).flatten()).await
    }

    pub async fn wait_acknowledged(&self, position: Position) -> Result<()> {
        self.until(|state| {
            if state.acknowledged >= position {
                return Some(Ok(()));
            }
            stopped(state).map(Err)
        })
        .await
    }

    pub fn hold_now(&self) -> Position {
        self.change(|state| {
            let position = state.sending.unwrap_or(state.acknowledged);
            state.hold = Some(position);
            position
        })
    }

    pub fn hold_at(&self, position: Position) {
        self.change(|state| state.hold = Some(position));
    }

    pub fn release(&self) {
        self.change(|state| state.hold = None);
    }

    pub fn status(&self) -> LoaderStatus {
        let state = self.state.lock();
        let waited = state.epochs.front().map_or(Duration::ZERO, |oldest| oldest.since.elapsed());
        LoaderStatus {
            acknowledged: state.acknowledged,
            queued_epochs: state.epochs.len(),
            queued_rows: state.rows,
            oldest_wait_ms: u64::try_from(waited.as_millis()).unwrap_or(u64::MAX),
            failing: state
                .failure
                .as_ref()
                .map(ToString::to_string)
                .or_else(|| state.failing.clone()),
        }
    }
}

/// Whether a noted range is next and not all here yet: it must be sent whole, so it is let in.
fn is_completing_noted(state: &State) -> bool {
    let end = state.noted.get(&state.acknowledged.next());
    let queued = state.epochs.back().map_or(state.acknowledged, |last| last.epoch.position);
    end.is_some_and(|end| queued < *end)
}

fn stopped(state: &State) -> Option<Error> {
    if let Some(failure) = &state.failure {
        return Some(match failure.as_ref() {
            Error::Behind { mart, held, from } => {
                Error::Behind { mart: mart.clone(), held: *held, from: *from }
            }
            other => Error::Failed { reason: other.to_string() },
        });
    }
    state.is_closed.then_some(Error::Stopped)
}
