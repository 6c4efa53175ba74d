//! One thread that starts the embedded parts, watches them and ends them.
//!
//! The thread is its own so that the parts live as long as their [`Supervisor`], not as long as the
//! async runtime (or the test) that happened to ask for them: the system ends a child when the
//! thread that started it ends.

mod component;
mod keep;
mod launch;
mod log;
pub(crate) mod previous;
mod status;

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    thread::{self, JoinHandle},
};

use futures::{
    FutureExt as _,
    future::{LocalBoxFuture, join_all},
};
use tokio::{
    runtime,
    sync::{oneshot, watch},
};

pub use self::status::{PartStatus, State};
pub(crate) use self::{
    component::{Component, Unready},
    keep::Stop,
    launch::{Launch, as_user},
    status::Board,
};
use crate::{Error, Part, Result, broker::Broker, clickhouse::ClickHouse, postgres::Postgres};

/// The parts to embed.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// PostgreSQL, unless the user brings one.
    pub postgres: Option<Postgres>,
    /// The broker, unless the user brings one.
    pub kafka: Option<Broker>,
    /// ClickHouse, unless the user brings one.
    pub clickhouse: Option<ClickHouse>,
}

/// Owner of the supervising thread. Dropping it ends the parts at once, losing nothing acknowledged.
#[derive(Debug)]
pub(crate) struct Supervisor {
    thread: Option<JoinHandle<()>>,
    /// In the order in which the parts end.
    stops: Vec<(Part, watch::Sender<Stop>)>,
    board: Board,
}

type Ready = oneshot::Receiver<Result<u16>>;

impl Supervisor {
    /// Starts all parts side by side; returns their ports once each is healthy. When one fails, the
    /// others are ended again.
    pub(crate) async fn start(
        parts: Parts,
        data_dir: PathBuf,
    ) -> Result<(Self, BTreeMap<Part, u16>)> {
        for folder in ["logs", "run"] {
            let folder = data_dir.join(folder);
            fs::create_dir_all(&folder).map_err(Error::file("make", folder))?;
        }
        let board = Board::default();
        let mut stops = Vec::new();
        let mut readies: Vec<(Part, Ready)> = Vec::new();
        let mut channels = |part| {
            let (stop, stopped) = watch::channel(Stop::Run);
            let (ready, readied) = oneshot::channel();
            stops.push((part, stop));
            readies.push((part, readied));
            (stopped, ready)
        };
        let for_clickhouse = parts.clickhouse.map(|c| (c, channels(Part::ClickHouse)));
        let for_kafka = parts.kafka.map(|c| (c, channels(Part::Kafka)));
        let for_postgres = parts.postgres.map(|c| (c, channels(Part::Postgres)));

        let thread_board = board.clone();
        let run = move || {
            let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    tracing::error!(%error, "the supervisor has no runtime");
                    return;
                }
            };
            let data_dir = data_dir.as_path();
            let mut kept: Vec<LocalBoxFuture<'_, ()>> = Vec::new();
            if let Some((component, (stop, ready))) = for_postgres {
                kept.push(
                    keep::keep(component, data_dir, thread_board.clone(), stop, ready)
                        .boxed_local(),
                );
            }
            if let Some((component, (stop, ready))) = for_kafka {
                kept.push(
                    keep::keep(component, data_dir, thread_board.clone(), stop, ready)
                        .boxed_local(),
                );
            }
            if let Some((component, (stop, ready))) = for_clickhouse {
                kept.push(
                    keep::keep(component, data_dir, thread_board.clone(), stop, ready)
                        .boxed_local(),
                );
            }
            runtime.block_on(join_all(kept));
        };
        let thread = thread::Builder::new()
            .name("millrace-supervisor".into())
            .spawn(run)
            .map_err(Error::file("start", "the supervisor's thread"))?;
        let supervisor = Supervisor { thread: Some(thread), stops, board };

        let mut ports = BTreeMap::new();
        for (part, ready) in readies {
            ports.insert(part, ready.await.map_err(|_| Error::Stopped)??);
        }
        Ok((supervisor, ports))
    }

    /// What is known about the parts.
    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// Ends the parts one after the other: PostgreSQL, which holds the truth, last.
    pub(crate) async fn shutdown(mut self) {
        for (_, stop) in &self.stops {
            stop.send_replace(Stop::Gently);
            // The keeper drops its end when its part is gone.
            stop.closed().await;
        }
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the supervisor's thread has panicked");
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        for (_, stop) in &self.stops {
            if *stop.borrow() == Stop::Run {
                stop.send_replace(Stop::AtOnce);
            }
        }
        self.join();
    }
}
