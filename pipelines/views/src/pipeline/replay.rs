//! The log read once more, up to what is published.

use std::time::Duration;

use millrace_events::Position;
use millrace_source::Cut;

use super::feed::Purpose;
use super::split::{self, Piece};
use super::{PipelineHandle, Published};
use crate::{Error, Result};

/// How long an epoch that should be in the log is waited for.
const READ_MAX: Duration = Duration::from_secs(30);

impl PipelineHandle {
    /// Shows `visit` all events up to what is published, in order.
    ///
    /// # Errors
    /// [`Error::LogTooShort`] when the log ends before, or can't be read; [`Error::PastChanged`] while views
    /// are filled again after a restore of the database; what `visit` gives.
    pub(super) async fn replay(
        &self,
        published: &Published,
        mut visit: impl FnMut(Piece) -> Result<()>,
    ) -> Result<()> {
        let position = published.position;
        if position == Position::START {
            return Ok(());
        }
        let ends = [position].into();
        let mut read = Position::START;
        let mut feed = self.hub.feeds.open(Cut::default(), Purpose::Verify).await?;
        while read < position {
            let epoch = tokio::time::timeout(READ_MAX, feed.next_epoch()).await;
            let epoch = epoch.map_err(|_| Error::LogTooShort { position, end: read })??;
            if epoch.is_empty() {
                continue;
            }
            if epoch.cut.incarnation.max(1) != published.incarnation {
                let reason = "the database was restored, the views are being filled again";
                let incarnation = epoch.cut.incarnation;
                return Err(Error::PastChanged { reason: reason.to_owned(), incarnation });
            }
            let pieces = split::at(&epoch, &ends);
            for piece in pieces.into_iter().filter(|piece| piece.last <= position) {
                read = piece.last;
                visit(piece)?;
            }
        }
        Ok(())
    }
}
