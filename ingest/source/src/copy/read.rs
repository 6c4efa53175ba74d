//! The second copy read back, event by event.

use std::collections::VecDeque;

use millrace_events::Position;

use super::segment::Rows;
use super::{CopyFile, LogCopy, gapless};
use crate::{Error, Message};

/// The copy's events from a position on, as far as they go without a gap.
#[derive(Debug)]
pub(crate) struct CopyReader {
    copy: LogCopy,
    files: VecDeque<CopyFile>,
    rows: Option<Rows>,
    last: Position,
}

impl CopyReader {
    /// Begins with the event after `last`.
    pub(crate) async fn open(copy: LogCopy, last: Position) -> Result<Self, Error> {
        let mut files = copy.files().await?;
        files.retain(|file| file.last > last);
        let files = gapless(&files, last).to_vec().into();
        Ok(Self { copy, files, rows: None, last })
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Message>, Error> {
        loop {
            // Files may overlap where one was closed early and written again.
            for message in self.rows.iter_mut().flatten() {
                let message = message?;
                if message.position > self.last {
                    self.last = message.position;
                    return Ok(Some(message));
                }
            }
            let Some(file) = self.files.pop_front() else { return Ok(None) };
            self.rows = Some(self.copy.segment(&file).await?.messages()?);
        }
    }
}
