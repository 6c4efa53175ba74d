//! The source as the pipeline holds it: a thread that reads, and the epochs it gives.

mod gap;
mod run;
mod span;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};

use millrace_events::Position;
use object_store::memory::InMemory;
use object_store::path::Path;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot, watch};

use crate::assemble::Missing;
use crate::copy::CopyHandle;
use crate::log::LogOptions;
use crate::{DeadLetters, Error, SourceEpoch, SourceOptions};
use run::{Link, Run};

/// Epochs made but not asked for yet: one is being worked on, one is ready, more only cost memory.
const EPOCHS_AHEAD: usize = 1;

/// What is read, and whether it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Log,
    CopyThenLog,
    /// As the one before, once more.
    Back,
}

/// Reads the log from a cut on.
#[derive(Debug)]
pub struct Source {
    epochs: mpsc::Receiver<Result<SourceEpoch, Error>>,
    status: watch::Receiver<SourceStatus>,
    copy: Option<CopyHandle>,
    reader: Reader,
}

/// Where the source is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// The last position given out.
    pub position: Position,
    /// The last position known to be in the log.
    pub log_end: Position,
    pub applied: u64,
    pub dead_lettered: u64,
    /// Copies dropped since the source was opened.
    pub copies_dropped: u64,
    pub buffered_bytes: usize,
    /// Set while a position is missing for longer than a moment.
    pub gap: Option<Missing>,
    /// The last position the second copy has; none without a copy.
    pub copy_position: Option<Position>,
    pub is_connected: bool,
}

impl SourceStatus {
    /// Positions known to be in the log and not given out.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.log_end.0.saturating_sub(self.position.0)
    }
}

/// The reading thread; dropped, it ends by itself.
#[derive(Debug)]
struct Reader {
    thread: Thread,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

impl Source {
    /// Goes on after `options.start`, reading from the log.
    ///
    /// # Errors
    /// [`Error::Broker`], [`Error::NoTopic`] after `options.open_wait`; [`Error::Partitions`];
    /// [`Error::NoFrontier`]; [`Error::NewIncarnation`]; [`Error::Store`] when the dead letters can't be
    /// listed.
    pub async fn open(options: SourceOptions) -> Result<Self, Error> {
        let dead = options.dead_letters.ids_after(options.start.position).await?;
        Self::start(options, dead, Reading::Log).await
    }

    /// Goes on after `options.start`, reading from the second copy as far as it goes, then from the
    /// log. The broker need only hold what the copy does not, and the newest frontier.
    ///
    /// # Errors
    /// As [`Source::open`], and [`Error::Store`] when the second copy can't be reached. Others come in place
    /// of an epoch, among them [`Error::CopyDamaged`].
    pub async fn open_from_copy(options: SourceOptions) -> Result<Self, Error> {
        let dead = options.dead_letters.ids_after(options.start.position).await?;
        Self::start(options, dead, Reading::CopyThenLog).await
    }

    /// As [`Source::open_from_copy`], but leaves nothing behind: neither dead letters nor files of the
    /// copy are written, and nothing of it is in metrics, logs or traces.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub async fn look_back(options: SourceOptions) -> Result<Self, Error> {
        let dead = options.dead_letters.ids_after(options.start.position).await?;
        let dead_letters = DeadLetters::new(Arc::new(InMemory::new()), Path::default());
        Self::start(SourceOptions { dead_letters, ..options }, dead, Reading::Back).await
    }

    async fn start(
        options: SourceOptions,
        dead: HashSet<Position>,
        reading: Reading,
    ) -> Result<Self, Error> {
        crate::metrics::describe();
        let (give, epochs) = mpsc::channel(EPOCHS_AHEAD);
        let (tell, status) = watch::channel(SourceStatus::default());
        let (opened, is_open) = oneshot::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let written = options.copy.clone().filter(|_| reading != Reading::Back);
        let copy = written.map(|copy| {
            CopyHandle::start(copy, LogOptions::background(&options), private_runtime())
        });
        let (copy, copying) = copy.unzip();
        let link =
            Link { give, tell, stop: stop.clone(), runtime: private_runtime(), copy: copy.clone() };
        let thread = std::thread::Builder::new()
            .name("millrace-source".to_owned())
            .spawn(move || {
                let from_copy = reading != Reading::Log;
                let read = || Run::run(options, dead, link, from_copy, opened);
                if reading == Reading::Back { unseen(read) } else { read() }
            })
            .expect("the system has a thread left");
        let mut reader = Reader { thread: thread.thread().clone(), stop, threads: vec![thread] };
        reader.threads.extend(copying);
        is_open.await.map_err(|_| Error::Closed)??;
        Ok(Self { epochs, status, copy, reader })
    }

    /// The next epoch, once there is one. Safe to cancel. After an error the source is closed.
    ///
    /// # Errors
    /// Why the source had to stop; [`Error::is_retryable`] tells whether opening it again at the
    /// last cut can help.
    pub async fn next_epoch(&mut self) -> Result<SourceEpoch, Error> {
        let epoch = self.epochs.recv().await.unwrap_or(Err(Error::Closed));
        self.reader.thread.unpark();
        epoch
    }

    /// Writes all events given out so far to the second copy, and tells up to which position it goes
    /// then; none without a copy.
    ///
    /// # Errors
    /// [`Error::Store`]: the copy is behind and catches up from the log later.
    pub async fn flush_copy(&self) -> Result<Option<Position>, Error> {
        match &self.copy {
            Some(copy) => copy.flush().await.map(Some),
            None => Ok(None),
        }
    }

    /// Stops reading, writes what the second copy still lacks and waits for both to be done.
    pub async fn close(self) {
        let Self { epochs, copy, mut reader, .. } = self;
        let threads = std::mem::take(&mut reader.threads);
        drop((epochs, copy, reader));
        let joined = tokio::task::spawn_blocking(|| {
            threads.into_iter().map(JoinHandle::join).filter(Result::is_err).count()
        });
        match joined.await {
            Ok(0) => {}
            _ => tracing::error!("a thread of the source had panicked"),
        }
    }

    /// Where the source is, now and as it goes on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<SourceStatus> {
        self.status.clone()
    }
}

/// Does what must leave no mark in metrics, logs and traces.
fn unseen(work: impl FnOnce()) {
    let nobody = tracing::subscriber::NoSubscriber::default();
    tracing::subscriber::with_default(nobody, || {
        metrics::with_local_recorder(&metrics::NoopRecorder, work);
    });
}

/// A runtime for one thread's own waiting. The caller's may end while the thread still has to write
/// what it holds.
fn private_runtime() -> Arc<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    Arc::new(runtime.expect("the system has a descriptor left for an event queue"))
}
