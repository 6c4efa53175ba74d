//! Starts a pipeline and keeps it going: feed, engine's thread, marts; again after a rebuild.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use millrace_events::Position;
use millrace_olap::{BatchRange, Loader, MartKind, MartSpec, Start, raw_marts};
use millrace_source::Cut;
use tokio::sync::mpsc;

use super::feed::{OpenFeed, Purpose};
use super::folder::{Folder, Restored};
use super::hub::Hub;
use super::run::{Ended, Input, Marts, Worker};
use super::status::State;
use super::{PipelineHandle, PipelineOptions};
use crate::{Error, Mart, Registry, Result};

/// Epochs that may wait for the engine: one being decoded while one is applied.
const EPOCHS_AHEAD: usize = 2;
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Keeps views and marts true to a feed of events.
#[derive(Debug)]
pub struct Pipeline;

impl Pipeline {
    /// Restores the newest checkpoint, publishes it, and goes on from there until shut down.
    ///
    /// # Errors
    /// The folder can't be read, or the views don't fit the engine.
    pub async fn start(
        options: PipelineOptions,
        feeds: Arc<dyn OpenFeed>,
    ) -> Result<PipelineHandle> {
        let hub = Arc::new(Hub::new(options, feeds));
        let first = Session::open(Arc::clone(&hub), Resume::Checkpoint).await?;
        let mut published = hub.watch();
        let task = tokio::spawn(drive(Arc::clone(&hub), first));
        // Snapshots are there from the first moment on.
        let _ = published.wait_for(Option::is_some).await;
        Ok(PipelineHandle { hub, task: Arc::new(parking_lot::Mutex::new(Some(task))) })
    }
}

/// The marts of a registry's views and of all events.
pub(super) fn marts(registry: &Registry) -> Vec<MartSpec> {
    let kept = registry.views().iter().filter_map(|view| {
        let kind = match view.mart {
            Mart::Current => MartKind::Current,
            Mart::History => MartKind::History,
            Mart::None => return None,
        };
        Some(MartSpec {
            name: view.name.clone(),
            kind,
            title: view.title.clone(),
            schema: Arc::clone(&view.schema),
            key: view.key.clone(),
            column_docs: view.column_docs.clone(),
            fingerprint: view.fingerprint.clone(),
        })
    });
    let raw = raw_marts().into_iter();
    kept.chain(raw.filter(|raw| registry.events().contains_key(&raw.name["raw_".len()..])))
        .collect()
}

async fn drive(hub: Arc<Hub>, first: Session) {
    let mut session = first;
    loop {
        let is_fresh = session.worker.place.cut.position == Position::START;
        let reason = match session.run().await {
            Ok(Ended::Stopped) => "it was shut down".to_owned(),
            Ok(Ended::Rebuild) if is_fresh => {
                "the marts claim to be behind the start of the log; remove their database"
                    .to_owned()
            }
            Ok(ended) => {
                let from = match ended {
                    Ended::StartOver { incarnation } => Resume::Nothing { incarnation },
                    _ => Resume::Start,
                };
                match Session::open(Arc::clone(&hub), from).await {
                    Ok(next) => {
                        session = next;
                        continue;
                    }
                    Err(error) => error.to_string(),
                }
            }
            Err(error) => {
                tracing::error!(%error, "the pipeline stops");
                error.to_string()
            }
        };
        hub.asks.lock().take();
        return hub.stop(reason);
    }
}

/// What a session begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resume {
    Checkpoint,
    /// The start of the log; the marts keep what they have.
    Start,
    /// The start of the log, the marts as well, under another incarnation of the database.
    Nothing {
        incarnation: u32,
    },
}

/// One run from a checkpoint, or from the start, to its end.
struct Session {
    hub: Arc<Hub>,
    worker: Box<Worker>,
}

impl Session {
    async fn open(hub: Arc<Hub>, from: Resume) -> Result<Self> {
        if let Resume::Nothing { .. } = from {
            hub.forget_frontier();
        }
        let options = hub.options.clone();
        let read = tokio::task::spawn_blocking(move || {
            let mut folder = Folder::open(&options.folder)?;
            match from {
                Resume::Checkpoint => {}
                Resume::Start => folder.wipe()?,
                Resume::Nothing { incarnation } => folder.start_over(incarnation)?,
            }
            let restored = folder.restore(&options)?;
            Ok::<_, Error>((folder, restored))
        });
        let (folder, Restored { engine, place, unsent, definitions }) =
            read.await.map_err(|error| Error::Stopped { reason: error.to_string() })??;
        let from = place.cut.position;
        let mut ends = BTreeSet::new();
        let mut kept = None;
        if let Some(loading) = hub.options.marts.clone() {
            let (journal, noted) = folder.batches()?;
            ends.extend(noted.iter().flat_map(ends_of).filter(|end| *end > from));
            let start = Start {
                from,
                unsent,
                noted,
                lineage: folder.lineage()?.to_string(),
                log: Box::new(journal.clone()),
                clock: Arc::clone(&hub.options.clock),
            };
            let loader = Loader::start(loading, marts(&hub.options.registry), start);
            *hub.loader.lock() = Some(loader.clone());
            kept = Some(Marts { loader, journal, acknowledged_before: Position::START });
        }
        let worker = Worker::new(Arc::clone(&hub), folder, engine, place, kept, ends, definitions)?;
        Ok(Self { hub, worker: Box::new(worker) })
    }

    async fn run(self) -> Result<Ended> {
        let Self { hub, worker } = self;
        let start = worker.place.cut.clone();
        let incarnation = worker.incarnation;
        let (inputs, received) = mpsc::channel(EPOCHS_AHEAD);
        // Weak: once the session is gone, so are its inputs, and the thread ends.
        *hub.asks.lock() = Some(inputs.downgrade());
        let (ended, mut has_ended) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("millrace-engine".to_owned());
        let loader = worker.marts.as_ref().map(|marts| marts.loader.clone());
        let spawned = thread.spawn(move || {
            let outcome = worker.run(received);
            // The session waits for this; without it the process is going down.
            let _ = ended.send(outcome);
        });
        spawned.map_err(|error| Error::Stopped { reason: error.to_string() })?;
        let outcome = tokio::select! {
            outcome = &mut has_ended => outcome,
            failure = feed(&hub, start, incarnation, &inputs) => {
                let _ = inputs.send(Input::Stop).await;
                let outcome = has_ended.await;
                match failure {
                    Some(Error::PastChanged { reason, incarnation }) => {
                        tracing::warn!(reason, "views and marts are filled again from the log");
                        Ok(Ok(Ended::StartOver { incarnation }))
                    }
                    Some(failure) => Ok(Err(failure)),
                    None => outcome,
                }
            }
            failure = marts_failed(loader.as_ref()) => {
                let _ = inputs.send(Input::MartsFailed(failure)).await;
                has_ended.await
            }
        };
        if let Some(loader) = loader {
            loader.shutdown().await;
        }
        outcome.map_err(|_| Error::Stopped { reason: "the engine's thread panicked".to_owned() })?
    }
}

/// Waits until the marts can't be kept; for ever without marts.
async fn marts_failed(loader: Option<&Loader>) -> millrace_olap::Error {
    match loader {
        Some(loader) => loader.failed().await,
        None => std::future::pending().await,
    }
}

/// Passes epochs on until told to stop, opening the feed again after failures that may pass. Gives
/// what can't pass.
async fn feed(
    hub: &Hub,
    start: Cut,
    incarnation: u32,
    inputs: &mpsc::Sender<Input>,
) -> Option<Error> {
    let mut stopping = hub.stopping.subscribe();
    let mut cut = start;
    let mut pause = RETRY_PAUSE;
    loop {
        let passed = cut.position;
        let outcome = tokio::select! {
            outcome = pass_on(hub, &mut cut, incarnation, inputs) => outcome,
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        };
        let Err(error) = outcome else { return None };
        if !error.is_retryable() {
            return Some(error);
        }
        if cut.position > passed {
            pause = RETRY_PAUSE;
        }
        tracing::warn!(%error, pause_ms = pause.as_millis(), "the feed is opened again");
        let reason = error.to_string();
        hub.tell(|report| report.state = State::Waiting { reason });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        }
        pause = (pause * 2).min(RETRY_PAUSE_MAX);
    }
}

/// Passes epochs on until the engine's thread is gone; `cut` is behind the last one passed.
async fn pass_on(
    hub: &Hub,
    cut: &mut Cut,
    incarnation: u32,
    inputs: &mpsc::Sender<Input>,
) -> Result<()> {
    let mut feed = hub.feeds.open(cut.clone(), Purpose::Apply).await?;
    loop {
        let epoch = feed.next_epoch().await?;
        if !epoch.is_empty() {
            same_life(epoch.cut.incarnation.max(1), incarnation)?;
        }
        let next = epoch.cut.clone();
        let log_end = feed.log_end();
        if inputs.send(Input::Epoch { epoch, log_end }).await.is_err() {
            return Ok(());
        }
        *cut = next;
    }
}

/// Marts are named for one life of the database: epochs of another don't go into them, even if the views
/// begin anew anyway.
fn same_life(fed: u32, known: u32) -> Result<()> {
    match fed.cmp(&known) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(Error::PastChanged {
            reason: format!("the database is in incarnation {fed}, the marts in {known}"),
            incarnation: fed,
        }),
        Ordering::Less => Err(Error::Feed {
            reason: format!("it is still of incarnation {fed}, the marts are of {known}"),
            retryable: true,
        }),
    }
}

fn ends_of(range: &BatchRange) -> [Position; 2] {
    [Position(range.first.0.saturating_sub(1)), range.last]
}
