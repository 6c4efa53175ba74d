//! The second copy read back, event by event.

use std::collections::VecDeque;

use millrace_events::Position;

use super::segment::Rows;
use super::{CopyFile, LogCopy, gapless};
use crate::{
    Assembler, BufferBounds, Cut, Cutter, EpochTarget, Error, Message, Offer, SourceEpoch,
};

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

/// Epochs made from the second copy alone, for looking back without a broker.
#[derive(Debug)]
pub struct CopyEpochs {
    reader: CopyReader,
    assembler: Assembler,
    cutter: Cutter,
    target: EpochTarget,
    until: Position,
}

impl CopyEpochs {
    pub(super) async fn open(
        copy: LogCopy,
        start: &Cut,
        until: Position,
        target: EpochTarget,
    ) -> Result<Self, Error> {
        Ok(Self {
            reader: CopyReader::open(copy, start.position).await?,
            assembler: Assembler::new(start, BufferBounds::default(), 1),
            cutter: Cutter::new(start.clone()),
            target,
            until,
        })
    }

    /// The next epoch; none after the last transaction that ends at or before the last position
    /// asked for, or where the copy ends. Dead letters are left out as they were the first time.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::CopyDamaged`].
    pub async fn next_epoch(&mut self) -> Result<Option<SourceEpoch>, Error> {
        loop {
            let ready = self.assembler.ready();
            let message = if self.target.is_reached(ready) || self.reader.last >= self.until {
                None
            } else {
                self.reader.next().await?
            };
            match message {
                Some(message) => {
                    if let Offer::Unverified(message) = self.assembler.offer(message)? {
                        return Err(self.assembler.too_old(&message));
                    }
                }
                None if ready.events == 0 => return Ok(None),
                None => {
                    let messages = self.assembler.take(&self.target)?;
                    let offsets = self.assembler.offsets();
                    return Ok(Some(self.cutter.cut(&messages, offsets)?.epoch));
                }
            }
        }
    }
}
