//! The events behind a row of a view.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use millrace_engine::{Because, Question, Why};
use millrace_events::Position;

use super::PipelineHandle;
use crate::{Error, Result, Tables};

/// Events that are looked at for one answer, at most; it takes some kilobytes for each.
const EVENTS_MAX: usize = 2_000_000;

/// A row of a view and what it comes from, at a moment.
#[derive(Clone, Debug)]
pub struct Reason {
    /// All events up to here are included.
    pub position: Position,
    /// Commit time of the newest event included; none before the first event.
    pub as_of: Option<DateTime<Utc>>,
    /// No row of the view when none has the key.
    pub because: Because,
}

impl PipelineHandle {
    /// The row of a live view with `key`, a value for each of its key's columns, and the rows of what it reads,
    /// down to the events, that it comes from; found in the log. `now()` is the time of the last epoch.
    ///
    /// # Errors
    /// [`Error::UnknownView`], [`Error::NotServed`], [`Error::KeyIncomplete`], [`Error::TooManyEvents`];
    /// [`Error::Busy`] while another row is looked into, since each reads the whole log; the
    /// engine's [`Definition`](millrace_engine::Error::Definition) when a column or value is wrong;
    /// [`Error::LogTooShort`] when the log ends before the views, or can't be read; [`Error::PastChanged`]
    /// while views are filled again after a restore of the database.
    pub async fn why(&self, name: &str, key: Vec<(String, String)>) -> Result<Reason> {
        self.snapshot(name)?;
        let registry = self.registry();
        let view = registry.get(name)?;
        let lacks = |column: &&String| key.iter().all(|(given, _)| given != *column);
        let missing: Vec<String> = view.key.iter().filter(lacks).cloned().collect();
        if !missing.is_empty() {
            let (view, key) = (view.name.clone(), view.key.join(", "));
            return Err(Error::KeyIncomplete { view, key, missing: missing.join(", ") });
        }
        let busy = |_| Error::Busy { view: view.name.clone() };
        let _alone = self.hub.explaining.try_acquire().map_err(busy)?;
        let published = self.published()?;
        let events = registry.events().iter();
        let views = registry.closure(name)?;
        let question = Question {
            relations: events.map(|(name, schema)| (name.clone(), Arc::clone(schema))).collect(),
            views: views.iter().map(|view| (view.name.clone(), view.text.clone())).collect(),
            view: name.to_owned(),
            key,
            now: published.published_at,
        };
        let why = Why::new(&question)?;
        let mut tables: Tables =
            why.reads().map(|event| (event.to_owned(), Vec::<RecordBatch>::new())).collect();
        let mut count = 0;
        self.replay(&published, |piece| {
            for (event, rows) in piece.tables {
                let Some(kept) = tables.get_mut(&*event) else { continue };
                let rows = why.relevant(&event, &rows)?;
                count += rows.num_rows();
                if rows.num_rows() > 0 {
                    kept.push(rows);
                }
            }
            match count > EVENTS_MAX {
                true => Err(Error::TooManyEvents { view: name.to_owned(), most: EVENTS_MAX }),
                false => Ok(()),
            }
        })
        .await?;
        let tables: BTreeMap<_, _> = tables;
        let answered = tokio::task::spawn_blocking(move || why.answer(tables)).await;
        let because = answered.map_err(|error| Error::Stopped { reason: error.to_string() })??;
        Ok(Reason { position: published.position, as_of: published.as_of, because })
    }
}
