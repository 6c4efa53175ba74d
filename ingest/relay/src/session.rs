//! One turn as the leader: from the checks at its start to the loss of a connection.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use millrace_events::{Frontier, Lsn, Position};
use pgwire_replication::{PgWireError, ReplicationClient, ReplicationEvent};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::flight::{Departure, Flight};
use crate::frontier::Pace;
use crate::known::Known;
use crate::log::message::Place;
use crate::log::publish::{Publisher, Report};
use crate::pair::{Mark, Pair, StateDir};
use crate::pgoutput::{Assembler, Transaction};
use crate::relay::Told;
use crate::{Error, LastEvent, RelayOptions};

/// Marks that wait to become confirmed are at least this far apart, which bounds how many wait.
const MARK_SPACING: Duration = Duration::from_secs(1);
/// Reports taken from Kafka in one go.
const REPORTS_MAX: usize = 1024;
/// How long to wait with nothing due; any event ends it.
const IDLE: Duration = Duration::from_secs(60);

/// The replication stream with everything it takes to pass it on.
pub(crate) struct Session {
    pub(crate) options: RelayOptions,
    pub(crate) told: Told,
    pub(crate) client: ReplicationClient,
    pub(crate) publisher: Publisher,
    pub(crate) state: Arc<StateDir>,
    pub(crate) known: Known,
    pub(crate) pair: Pair,
    /// How far replication has come, for the monitor.
    pub(crate) received: Arc<AtomicU64>,
    /// The monitor's word that the connection is dead.
    pub(crate) stalled: CancellationToken,
}

/// What moves while a session runs.
struct Running {
    session: Session,
    assembler: Assembler,
    flight: Flight,
    pace: Pace,
    /// The last position given to an event.
    assigned: Position,
    /// Kafka has acknowledged everything up to here.
    reached: Mark,
    /// Durable marks the slot is not confirmed up to yet, oldest first.
    waiting: VecDeque<(Instant, Mark)>,
    writing: Option<JoinHandle<Result<Pair, Error>>>,
    written_at: Instant,
}

impl Session {
    /// Passes events on until `stop`, or until something fails.
    pub(crate) async fn run(self, start: Mark, stop: &CancellationToken) -> Result<(), Error> {
        let options = &self.options;
        let mut running = Running {
            assembler: Assembler::new(options.transaction_rows_max, options.transaction_bytes_max),
            flight: Flight::default(),
            pace: Pace::new(options.frontier_busy, options.frontier_idle),
            assigned: start.position,
            waiting: VecDeque::new(),
            reached: start,
            writing: None,
            written_at: Instant::now(),
            session: self,
        };
        running.wait_to_confirm(running.reached.clone());
        let outcome = running.turn(stop).await;
        // The state directory is given up only after its last writer has ended.
        let written = running.finish_writing().await;
        outcome.and(written)
    }
}

impl Running {
    async fn turn(&mut self, stop: &CancellationToken) -> Result<(), Error> {
        let mut reports = Vec::with_capacity(REPORTS_MAX);
        loop {
            let deadline = self.deadline();
            let may_read = self.flight.events() < self.session.options.events_in_flight_max
                && self.flight.bytes() < self.session.options.bytes_in_flight_max;
            let session = &mut self.session;
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.stop().await,
                () = session.stalled.cancelled() => {
                    let received = Lsn(session.received.load(Ordering::Relaxed));
                    return Err(Error::StreamStalled { received });
                }
                _ = session.publisher.reports.recv_many(&mut reports, REPORTS_MAX) => {
                    for report in reports.drain(..) {
                        self.report(report).await?;
                    }
                }
                written = wait(&mut self.writing) => {
                    self.writing = None;
                    self.written(written?);
                }
                event = session.client.recv(), if may_read => {
                    let ended = || PgWireError::Task("the stream ended".into());
                    let event = event.map_err(Error::Replication)?;
                    self.event(event.ok_or_else(|| Error::Replication(ended()))?).await?;
                }
                () = tokio::time::sleep_until(deadline) => {}
            }
            self.advance()?;
        }
    }

    /// When to look again although nothing has happened.
    fn deadline(&self) -> Instant {
        [self.pace.due(), self.write_due()]
            .into_iter()
            .flatten()
            .fold(Instant::now() + IDLE, Instant::min)
    }

    /// When the pair is to be written: it is behind, or the slot can be confirmed further.
    fn write_due(&self) -> Option<Instant> {
        if self.writing.is_some() {
            return None;
        }
        let options = &self.session.options;
        let earliest = self.written_at + options.pair_interval;
        if self.reached.lsn > self.session.pair.durable.lsn {
            return Some(earliest);
        }
        let (at, _) = self.waiting.front()?;
        Some(earliest.max(*at + options.confirm_delay))
    }

    async fn event(&mut self, event: ReplicationEvent) -> Result<(), Error> {
        match event {
            ReplicationEvent::Begin { final_lsn, xid, commit_time_micros } => {
                self.assembler.begin(xid, Lsn(final_lsn.0), commit_time_micros)
            }
            ReplicationEvent::XLogData { wal_start, data, .. } => {
                self.assembler.change(Lsn(wal_start.0), data)
            }
            ReplicationEvent::Commit { end_lsn, .. } => {
                let transaction = self.assembler.commit(Lsn(end_lsn.0))?;
                let end = transaction.end;
                self.send(transaction).await?;
                self.receive(end)
            }
            // Everything committed before a keepalive's LSN was sent before it.
            ReplicationEvent::KeepAlive { wal_end, .. } if !self.assembler.is_open() => {
                self.receive(Lsn(wal_end.0))
            }
            ReplicationEvent::Message { lsn, .. } if !self.assembler.is_open() => {
                self.receive(Lsn(lsn.0))
            }
            ReplicationEvent::KeepAlive { .. }
            | ReplicationEvent::Message { .. }
            | ReplicationEvent::StoppedAt { .. } => Ok(()),
        }
    }

    /// Replication has come to `lsn`; right after a start PostgreSQL tells of earlier places.
    fn receive(&self, lsn: Lsn) -> Result<(), Error> {
        self.session.received.fetch_max(lsn.0, Ordering::Relaxed);
        self.session.known.pass(lsn, self.assigned)
    }

    /// Gives each row its position and hands it to Kafka, unless the log has it already.
    async fn send(&mut self, transaction: Transaction) -> Result<(), Error> {
        let Transaction { committed_at, end, rows } = transaction;
        let Some(last) = rows.last() else { return Ok(()) };
        let last_event = LastEvent {
            schema: last.schema.clone(),
            event_id: last.event_id,
            recorded_at: last.recorded_at.clone(),
        };
        let first = self.assigned.next();
        self.flight.depart(Departure {
            first,
            events: rows.len(),
            bytes: rows.iter().map(|row| row.envelope.len()).sum(),
            end,
            committed_at,
            last_event,
        });
        let m = rows.len() as u64;
        for (n, row) in (1..).zip(&rows) {
            let position = self.assigned.next();
            self.assigned = position;
            match self.session.known.take(position, row.event_id)? {
                Some(logged) => self.flight.land(logged.landed(position)),
                None => {
                    let place = Place { position, lsn: end, n, m };
                    self.session.publisher.event(row, place).await?;
                }
            }
        }
        Ok(())
    }

    async fn report(&mut self, report: Report) -> Result<(), Error> {
        match report {
            Report::Landed(landed) => self.flight.land(landed),
            Report::Refused { position, event_id, message, code } => {
                tracing::error!(
                    %event_id, %position, %code,
                    "refused by the broker: a tombstone holds the event's position"
                );
                self.session.publisher.tombstone(position, event_id, message).await?;
            }
            Report::Failed(error) => return Err(self.session.publisher.failure(error)),
        }
        Ok(())
    }

    /// Draws the consequences of what was acknowledged.
    fn advance(&mut self) -> Result<(), Error> {
        if let Some(error) = self.session.publisher.fatal() {
            return Err(error);
        }
        while let Some(arrived) = self.flight.arrive() {
            let age = (self.session.options.clock)() - arrived.committed_at;
            metrics::histogram!("millrace_relay_publish_seconds")
                .record(age.num_microseconds().unwrap_or_default().max(0) as f64 / 1e6);
            metrics::counter!("millrace_relay_events_total").increment(arrived.landed.len() as u64);
            // A copy that the broker dropped as one has no offset: an earlier end serves as well.
            for landed in arrived.landed.into_iter().filter(|landed| landed.end.offset >= 0) {
                self.reached.ends.set(&landed.topic, landed.partition, landed.end);
            }
            self.reached.lsn = self.reached.lsn.max(arrived.end);
            self.reached.position = arrived.last;
            self.reached.last = Some(arrived.last_event);
        }
        if self.flight.is_empty() && !self.assembler.is_open() {
            let received = Lsn(self.session.received.load(Ordering::Relaxed));
            self.reached.lsn = self.reached.lsn.max(received);
        }
        self.pace.reach(self.reached.lsn, self.reached.position);
        let now = Instant::now();
        if let Some(reached) = self.pace.take(now) {
            self.tell_frontier(reached)?;
        }
        if self.write_due().is_some_and(|due| now >= due) {
            self.write();
        }
        self.tell();
        Ok(())
    }

    fn tell_frontier(&self, (lsn, position): (Lsn, Position)) -> Result<(), Error> {
        let at = (self.session.options.clock)();
        let Pair { incarnation, orphaned, .. } = &self.session.pair;
        let (incarnation, orphaned) = (*incarnation, orphaned.clone());
        self.session.publisher.frontier(&Frontier { lsn, position, at, incarnation, orphaned })
    }

    /// The newest durable mark that is old enough, or far enough behind, to be confirmed.
    fn confirmable(&self) -> Option<&Mark> {
        let options = &self.session.options;
        let now = Instant::now();
        self.waiting
            .iter()
            .take_while(|(at, mark)| {
                let events_behind = self.reached.position.0.saturating_sub(mark.position.0);
                now >= *at + options.confirm_delay || events_behind > options.confirm_events_max
            })
            .last()
            .map(|(_, mark)| mark)
    }

    /// Begins to make the pair durable, with what the slot may be confirmed up to once it is.
    fn write(&mut self) {
        let mut pair = self.session.pair.clone();
        // After a resend the mark in memory starts out below the durable one.
        if self.reached.lsn > pair.durable.lsn {
            pair.durable = self.reached.clone();
        }
        if let Some(mark) = self.confirmable() {
            pair.confirmed = mark.clone();
        }
        let state = Arc::clone(&self.session.state);
        self.written_at = Instant::now();
        self.writing =
            Some(tokio::task::spawn_blocking(move || state.store_pair(&pair).map(|()| pair)));
    }

    /// The pair is durable: only now may the slot be confirmed.
    fn written(&mut self, pair: Pair) {
        self.session.client.update_applied_lsn(pgwire_replication::Lsn(pair.confirmed.lsn.0));
        self.waiting.retain(|(_, mark)| mark.lsn > pair.confirmed.lsn);
        self.session.pair = pair;
        self.wait_to_confirm(self.session.pair.durable.clone());
    }

    /// The slot will be confirmed up to this mark, after the delay.
    fn wait_to_confirm(&mut self, mark: Mark) {
        let now = Instant::now();
        let is_spaced = self.waiting.back().is_none_or(|(at, _)| now >= *at + MARK_SPACING);
        if is_spaced && mark.lsn > self.session.pair.confirmed.lsn {
            self.waiting.push_back((now, mark));
        }
    }

    /// What is under way arrives, the pair is written and the last frontier told, then the session
    /// ends.
    async fn stop(&mut self) -> Result<(), Error> {
        let deadline = Instant::now() + self.session.options.shutdown_timeout;
        while !self.flight.is_empty() {
            let report = self.session.publisher.reports.recv();
            match tokio::time::timeout_at(deadline, report).await {
                Ok(Some(report)) => self.report(report).await?,
                Ok(None) | Err(_) => break,
            }
            self.advance()?;
        }
        self.finish_writing().await?;
        self.write();
        self.finish_writing().await?;
        if let Some(reached) = self.pace.rest() {
            self.tell_frontier(reached)?;
        }
        // The next leader tells it as well: an outage must not keep this one from ending.
        let left = deadline.saturating_duration_since(Instant::now());
        if let Err(error) = self.session.publisher.flush(left).await {
            tracing::warn!("the last frontier was not told: {}", error.chain());
        }
        Ok(())
    }

    async fn finish_writing(&mut self) -> Result<(), Error> {
        if let Some(writing) = self.writing.take() {
            let pair = flatten(writing.await)?;
            self.written(pair);
        }
        Ok(())
    }

    fn tell(&self) {
        let (reached, pair) = (&self.reached, &self.session.pair);
        let oldest = self.flight.oldest();
        self.session.told.send_if_modified(|status| {
            status.incarnation = pair.incarnation;
            status.events_in_flight = self.flight.events();
            status.oldest_unsent_at = oldest;
            let new = (reached.position, reached.lsn, pair.durable.lsn, pair.confirmed.lsn);
            let old = (status.position, status.lsn, status.durable, status.confirmed);
            if status.durable != pair.durable.lsn {
                status.last_event.clone_from(&pair.durable.last);
            }
            (status.position, status.lsn, status.durable, status.confirmed) = new;
            new != old
        });
    }
}

/// The pair being written, once it is; never if none is.
async fn wait(writing: &mut Option<JoinHandle<Result<Pair, Error>>>) -> Result<Pair, Error> {
    match writing {
        Some(writing) => flatten(writing.await),
        None => std::future::pending().await,
    }
}

fn flatten<T>(joined: Result<Result<T, Error>, tokio::task::JoinError>) -> Result<T, Error> {
    joined.unwrap_or_else(|error| Err(Error::Task { detail: error.to_string() }))
}
