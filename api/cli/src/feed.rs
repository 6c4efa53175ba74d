//! The log as the pipeline reads it.

use std::sync::Arc;

use anyhow::{Context, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use millrace_events::Position;
use millrace_source::{Clock, Cut, DeadLetters, LogCopy, Source, SourceEpoch, SourceOptions};
use millrace_views::{EpochFeed, OpenFeed, Purpose};
use object_store::local::LocalFileSystem;
use object_store::path::Path;

use crate::folders::Folders;

const DEAD_LETTERS: &str = "dead-letters";

/// Opens the log at Kafka; looks back through the second copy where there is one.
struct Log {
    brokers: String,
    dead_letters: DeadLetters,
    copy: Option<LogCopy>,
    clock: Clock,
}

/// The log with its dead letters and, if wanted, its second copy.
///
/// # Errors
/// When the objects' folder can't be used.
pub fn log(
    brokers: &str,
    folders: &Folders,
    with_copy: bool,
    clock: Clock,
) -> Result<Arc<dyn OpenFeed>> {
    let copy = if with_copy { Some(copy(folders)?) } else { None };
    let dead_letters = dead_letters(folders)?;
    Ok(Arc::new(Log { brokers: brokers.to_owned(), dead_letters, copy, clock }))
}

/// The log alone, without a second copy.
///
/// # Errors
/// When the objects' folder can't be used.
pub fn log_only(brokers: &str, folders: &Folders) -> Result<Arc<dyn OpenFeed>> {
    log(brokers, folders, false, Arc::new(chrono::Utc::now))
}

/// The log's second copy.
///
/// # Errors
/// When the objects' folder can't be used.
pub fn copy(folders: &Folders) -> Result<LogCopy> {
    Ok(LogCopy::new(store(folders)?, &Path::default()))
}

/// What could not be applied.
///
/// # Errors
/// When the objects' folder can't be used.
pub fn dead_letters(folders: &Folders) -> Result<DeadLetters> {
    Ok(DeadLetters::new(store(folders)?, Path::from(DEAD_LETTERS)))
}

fn store(folders: &Folders) -> Result<Arc<LocalFileSystem>> {
    let store = LocalFileSystem::new_with_prefix(&folders.objects)
        .with_context(|| format!("the objects' folder {}", folders.objects.display()))?;
    Ok(Arc::new(store))
}

impl OpenFeed for Log {
    fn open(
        &self,
        start: Cut,
        purpose: Purpose,
    ) -> BoxFuture<'_, millrace_views::Result<Box<dyn EpochFeed>>> {
        async move {
            let mut options = SourceOptions::new(
                self.brokers.clone(),
                self.dead_letters.clone(),
                Arc::clone(&self.clock),
            );
            options.start = start;
            options.copy = self.copy.clone();
            let source = match purpose {
                Purpose::Apply => Source::open(options).await,
                Purpose::Verify => Source::look_back(options).await,
            };
            let source = source.map_err(|error| failed(&error))?;
            Ok(Box::new(SourceFeed(source)) as Box<dyn EpochFeed>)
        }
        .boxed()
    }
}

/// The source's error as the pipeline knows it.
pub fn failed(error: &millrace_source::Error) -> millrace_views::Error {
    let reason = error.to_string();
    match error {
        millrace_source::Error::NewIncarnation { incarnation, .. } => {
            millrace_views::Error::PastChanged { reason, incarnation: *incarnation }
        }
        _ => millrace_views::Error::Feed { reason, retryable: error.is_retryable() },
    }
}

struct SourceFeed(Source);

impl EpochFeed for SourceFeed {
    fn next_epoch(&mut self) -> BoxFuture<'_, millrace_views::Result<SourceEpoch>> {
        async move { self.0.next_epoch().await.map_err(|error| failed(&error)) }.boxed()
    }

    fn log_end(&self) -> Position {
        self.0.status().borrow().log_end
    }
}
