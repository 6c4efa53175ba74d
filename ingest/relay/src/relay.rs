//! The relay as a component: start it, ask it, stop it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use pgwire_replication::ReplicationClient;
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::known::Known;
use crate::log::publish::Publisher;
use crate::log::read::{self, Compared};
use crate::log::topics::{self, TopicInfo};
use crate::postgres::{self, admit, inspect, slot};
use crate::session::Session;
use crate::{Error, Mark, Pair, Phase, RelayOptions, Retry, StateDir, Status, monitor, recover};

/// Where a relay tells its status.
pub(crate) type Told = Arc<watch::Sender<Status>>;

/// A turn that lasted this long was a good one: back-off starts anew after it.
const GOOD_TURN: Duration = Duration::from_secs(10);

/// Outbox tables to Kafka.
#[derive(Debug)]
pub struct Relay;

/// A running relay; clones speak of the same one.
#[derive(Clone, Debug)]
pub struct RelayHandle {
    status: watch::Receiver<Status>,
    stop: CancellationToken,
    task: AbortHandle,
}

impl Relay {
    /// Starts a relay as a task of the current tokio runtime. It never gives up on an outage; what
    /// it can't decide ends it with [`Phase::Halted`].
    #[must_use]
    pub fn start(options: RelayOptions) -> RelayHandle {
        let (sender, status) = watch::channel(Status::starting());
        let stop = CancellationToken::new();
        let task = tokio::spawn(relay(options, Arc::new(sender), stop.clone())).abort_handle();
        RelayHandle { status, stop, task }
    }
}

impl RelayHandle {
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Tells of each change of phase, position and LSNs.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Asks it to end: what is in flight is waited for and the pair written.
    pub fn shutdown(&self) {
        self.stop.cancel();
    }

    /// Ends it at once, as a crash would.
    pub fn abort(&self) {
        self.task.abort();
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Why it halted.
    pub async fn join(&self) -> Result<(), Arc<Error>> {
        let mut status = self.status.clone();
        // The sender goes away with an aborted relay; its last status stays.
        let _ = status.wait_for(|status| status.phase.has_ended()).await;
        match &status.borrow().phase {
            Phase::Halted(error) => Err(Arc::clone(error)),
            _ => Ok(()),
        }
    }
}

async fn relay(options: RelayOptions, told: Told, stop: CancellationToken) {
    let tell = |phase: Phase| told.send_modify(|status| status.phase = phase);
    let mut backoff = options.backoff_min;
    let mut waits_for = None;
    loop {
        let began = Instant::now();
        let turn = tokio::select! {
            turn = lead(&options, &told, &stop) => turn,
            // A leading session sees the token itself and ends in order.
            () = stopped_outside_session(&told, &stop) => Ok(()),
        };
        let Err(error) = turn else {
            tell(Phase::Stopped);
            tracing::info!("the relay has ended");
            return;
        };
        let error = Arc::new(error);
        let pause = match error.retry() {
            Retry::Halt => {
                tracing::error!(code = error.code(), "the relay halts: {}", error.chain());
                tell(Phase::Halted(error));
                return;
            }
            Retry::Wait => {
                if waits_for != Some(error.code()) {
                    tracing::info!(code = error.code(), "the relay waits: {error}");
                }
                waits_for = Some(error.code());
                tell(Phase::Waiting(error));
                options.lease_retry
            }
            Retry::Backoff => {
                if began.elapsed() >= GOOD_TURN {
                    backoff = options.backoff_min;
                }
                let pause = backoff;
                backoff = (backoff * 2).min(options.backoff_max);
                tracing::warn!(
                    code = error.code(),
                    retry_ms = pause.as_millis() as u64,
                    "the relay starts over: {}",
                    error.chain()
                );
                waits_for = None;
                tell(Phase::Retrying(error));
                pause
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

async fn stopped_outside_session(told: &Told, stop: &CancellationToken) {
    stop.cancelled().await;
    let mut status = told.subscribe();
    // While it leads, the session decides when it has ended.
    let _ = status.wait_for(|status| !matches!(status.phase, Phase::Leading)).await;
}

/// One turn: every check, then the session.
async fn lead(options: &RelayOptions, told: &Told, stop: &CancellationToken) -> Result<(), Error> {
    let state = Arc::new(StateDir::lock(&options.state_dir)?);
    let pool = postgres::pool(options)?;
    let server = inspect::server(&pool, &options.slot, &options.publication).await?;
    admit::publication(&server, options)?;
    let topics = topics::ensure(options).await?;
    let mut pair = match recover::pending(options, &topics, &pool, &state).await? {
        Some(pair) => pair,
        None => first_pair(options, &topics, &pool, &state).await?,
    };
    let server = inspect::server(&pool, &options.slot, &options.publication).await?;
    let slot_confirmed = admit::replication(&mut pair, &server, options)?.confirmed;
    if let Some(event) = &pair.durable.last
        && !inspect::has_event(&pool, event).await?
    {
        return Err(Error::EventGone {
            schema: event.schema.clone(),
            event_id: event.event_id,
            position: pair.durable.position,
        });
    }
    let (start, known) = compare(options, &topics, &pair).await?;
    let client = replicate(options, &start, slot_confirmed.0).await?;
    // Another relay may have held the slot between the check and now.
    let server = inspect::server(&pool, &options.slot, &options.publication).await?;
    if let Some(slot) = server.slot
        && slot.confirmed > start.lsn
    {
        let (confirmed, durable) = (slot.confirmed, start.lsn);
        return Err(Error::SlotAhead { slot: options.slot.clone(), confirmed, durable });
    }
    tracing::info!(
        lsn = %start.lsn, position = %start.position, already_logged = known.len(),
        "the relay leads"
    );
    told.send_modify(|status| status.phase = Phase::Leading);
    let received = Arc::new(AtomicU64::new(start.lsn.0));
    let stalled = CancellationToken::new();
    let _monitor = monitor::start(options, told, &pool, &received, &stalled);
    let session = Session {
        options: options.clone(),
        told: Arc::clone(told),
        client,
        publisher: Publisher::new(options)?,
        state,
        known,
        pair,
        received,
        stalled,
    };
    session.run(start, stop).await
}

/// The stored pair; where nothing was ever sent, one that a new slot starts with.
async fn first_pair(
    options: &RelayOptions,
    topics: &[TopicInfo],
    pool: &PgPool,
    state: &Arc<StateDir>,
) -> Result<Pair, Error> {
    if let Some(pair) = state.load_pair()? {
        return Ok(pair);
    }
    let (asked, of) = (options.clone(), topics.to_vec());
    if let Some(position) = blocking(move || read::end(&asked, &of)).await? {
        return Err(Error::PairMissing { path: state.pair_path(), position });
    }
    recover::begin(options, topics, pool, state).await
}

/// Where to start: at the durable pair, or earlier if the broker lost what the slot still has.
async fn compare(
    options: &RelayOptions,
    topics: &[TopicInfo],
    pair: &Pair,
) -> Result<(Mark, Known), Error> {
    for mark in [&pair.durable, &pair.confirmed] {
        let (asked, of, at) = (options.clone(), topics.to_vec(), mark.clone());
        match blocking(move || read::compare(&asked, &of, &at)).await? {
            Compared::Whole(known) => return Ok((mark.clone(), known)),
            Compared::Lost { topic, partition, position } if *mark == pair.confirmed => {
                let confirmed = pair.confirmed.lsn;
                return Err(Error::LogLost { topic, partition, position, confirmed });
            }
            Compared::Lost { topic, partition, position } => tracing::warn!(
                topic, partition, %position, from = %pair.confirmed.position,
                "the broker lost the end of a partition: it is sent again"
            ),
        }
    }
    unreachable!("the confirmed mark answers one way or the other")
}

/// Takes the slot and starts to stream from the mark.
async fn replicate(
    options: &RelayOptions,
    start: &Mark,
    slot_confirmed: u64,
) -> Result<ReplicationClient, Error> {
    let config = postgres::replication(options)?
        .with_start_lsn(pgwire_replication::Lsn(start.lsn.0))
        .with_ack_lsn(pgwire_replication::Lsn(slot_confirmed));
    let mut client = ReplicationClient::connect(config).await.map_err(Error::Replication)?;
    client.wait_started().await.map_err(|error| {
        if error.is_server() && error.to_string().contains(slot::OBJECT_IN_USE) {
            return Error::SlotBusy { slot: options.slot.clone() };
        }
        Error::Replication(error)
    })?;
    Ok(client)
}

/// Runs what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::Task { detail: error.to_string() }))
}
