//! What a pipeline is started with.

use std::fmt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use millrace_engine::EngineConfig;
use millrace_olap::LoaderOptions;
use millrace_source::Clock;

use crate::Registry;

/// What a pipeline is started with.
#[derive(Clone)]
pub struct PipelineOptions {
    pub registry: Registry,
    /// Folder of checkpoints, unsent epochs and the journal of batches; made when missing.
    pub folder: PathBuf,
    pub engine: EngineConfig,
    /// Without it no marts are kept.
    pub marts: Option<LoaderOptions>,
    /// A checkpoint is taken once this much time has passed and something has changed …
    pub checkpoint_interval: Duration,
    /// … or once so many events have been applied.
    pub checkpoint_events: u64,
    /// Changes of a view kept for streams that resume, in rows.
    pub retained_rows_max: usize,
    /// … and in epochs: each costs some kilobytes, however few its rows.
    pub retained_epochs_max: usize,
    /// Events behind the live views at which a view that is being filled from the log is waited for: what comes
    /// from then on is kept in memory until it has caught up.
    pub fill_near_events: u64,
    pub clock: Clock,
}

impl PipelineOptions {
    #[must_use]
    pub fn new(registry: Registry, folder: impl Into<PathBuf>, clock: Clock) -> Self {
        Self {
            registry,
            folder: folder.into(),
            // The product's views are all kept in time proportional to the change.
            engine: EngineConfig {
                stopwatch: Some(since_start),
                recompute_rows_max: 0,
                // A view that somebody defines holds up the others by some milliseconds at a time.
                fill_rows_max: 20_000,
                ..EngineConfig::default()
            },
            marts: None,
            checkpoint_interval: Duration::from_secs(10),
            checkpoint_events: 2_000_000,
            retained_rows_max: 50_000,
            retained_epochs_max: 3_000,
            fill_near_events: 20_000,
            clock,
        }
    }
}

/// Time that only ever grows, for the work of operators.
fn since_start() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

impl fmt::Debug for PipelineOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PipelineOptions")
            .field("folder", &self.folder)
            .field("engine", &self.engine)
            .field("marts", &self.marts)
            .field("checkpoint_interval", &self.checkpoint_interval)
            .field("checkpoint_events", &self.checkpoint_events)
            .finish_non_exhaustive()
    }
}
