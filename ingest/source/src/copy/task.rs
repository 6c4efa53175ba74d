//! The copy kept up to date in the background. The source hands over what it has passed and never
//! waits long; what was not taken in time, or before a restart, is read from the log again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use millrace_events::Position;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

use super::LogCopy;
use super::keep::Keeper;
use crate::log::LogOptions;
use crate::{Error, Message};

/// Epochs waiting to be copied.
const EPOCHS_WAITING: usize = 2;
/// How long one epoch may be held up by a copy that is up to date but slow.
const HAND_WAIT: Duration = Duration::from_millis(50);

/// What the source holds of the copying thread.
#[derive(Clone, Debug)]
pub(crate) struct CopyHandle {
    hand: mpsc::Sender<Handed>,
    copied: watch::Receiver<Position>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The last position the source has passed.
    wanted: AtomicU64,
    /// Whether the copying thread kept up the last time.
    is_current: AtomicBool,
}

enum Handed {
    Events(Vec<Message>),
    Flush(oneshot::Sender<Result<Position, Error>>),
}

impl CopyHandle {
    /// Starts the thread; it ends once all handles are dropped and what it holds is written.
    pub(crate) fn start(
        copy: LogCopy,
        log: LogOptions,
        runtime: Arc<Runtime>,
    ) -> (Self, std::thread::JoinHandle<()>) {
        let (hand, handed) = mpsc::channel(EPOCHS_WAITING);
        let (tell, copied) = watch::channel(Position::START);
        let shared = Arc::new(Shared::default());
        let task = Task { handed, runtime: runtime.clone(), shared: shared.clone(), tell };
        let thread = std::thread::Builder::new()
            .name("millrace-log-copy".to_owned())
            .spawn(move || task.run(Keeper::new(copy, log, runtime)))
            .expect("the system has a thread left");
        (Self { hand, copied, shared }, thread)
    }

    /// Hands over the events of one epoch. A copy that is behind or stuck is left behind: it
    /// catches up from the log.
    pub(crate) fn hand(&self, messages: Vec<Message>, runtime: &Runtime) {
        let Some(last) = messages.last() else { return };
        self.shared.wanted.store(last.position.0, Ordering::Relaxed);
        let handed = Handed::Events(messages);
        let Err(mpsc::error::TrySendError::Full(handed)) = self.hand.try_send(handed) else {
            return;
        };
        if self.shared.is_current.load(Ordering::Relaxed) {
            let sent = runtime
                .block_on(async { tokio::time::timeout(HAND_WAIT, self.hand.send(handed)).await });
            self.shared.is_current.store(sent.is_ok(), Ordering::Relaxed);
        }
    }

    /// The last position written.
    pub(crate) fn position(&self) -> Position {
        *self.copied.borrow()
    }

    /// Writes all that was handed over, and tells up to where the copy goes then.
    pub(crate) async fn flush(&self) -> Result<Position, Error> {
        let (reply, flushed) = oneshot::channel();
        self.hand.send(Handed::Flush(reply)).await.map_err(|_| Error::Closed)?;
        flushed.await.map_err(|_| Error::Closed)?
    }
}

struct Task {
    handed: mpsc::Receiver<Handed>,
    runtime: Arc<Runtime>,
    shared: Arc<Shared>,
    tell: watch::Sender<Position>,
}

impl Task {
    fn run(mut self, mut keeper: Keeper) {
        let mut open = true;
        while open {
            let wanted = Position(self.shared.wanted.load(Ordering::Relaxed));
            let due = keeper.due(wanted);
            let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
            let handed = &mut self.handed;
            let next = self.runtime.block_on(async {
                match wait {
                    Some(wait) => tokio::time::timeout(wait, handed.recv()).await.ok(),
                    None => Some(handed.recv().await),
                }
            });
            let is_over = || self.handed.is_closed();
            let done = match next {
                Some(Some(Handed::Events(messages))) => {
                    let done = keeper.keep(&messages, is_over);
                    self.shared.is_current.store(done.is_ok(), Ordering::Relaxed);
                    done
                }
                Some(Some(Handed::Flush(reply))) => {
                    let flushed = keeper.keep_up(wanted, is_over).and_then(|()| keeper.close());
                    // Whoever asked may have stopped waiting.
                    drop(reply.send(flushed.map(|()| keeper.end())));
                    Ok(())
                }
                Some(None) => {
                    open = false;
                    keeper.close()
                }
                None => keeper.keep_up(wanted, is_over),
            };
            if let Err(error) = done {
                tracing::warn!(code = error.code(), %error, "the log's second copy is behind");
            }
            self.tell.send_replace(keeper.end());
        }
    }
}
