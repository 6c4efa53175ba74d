//! What tells copies of old events from impostors.

use millrace_events::Position;

use super::{Offsets, Run, read_from};
use crate::copy::Ids;
use crate::{Error, Message, metrics};

impl Run {
    /// Learns the ids of the last events passed: from the second copy where it has them; the others
    /// come with the messages from the given offsets on.
    pub(super) fn remember(&mut self) -> Result<Offsets, Error> {
        let count = self.options.remembered_events;
        let mut copied = Offsets::new();
        if let Some(copy) = &self.options.copy {
            let oldest = self.cutter.position().0.saturating_sub(count as u64);
            let (ids, offsets) = self.link.runtime.block_on(copy.ids_after(Position(oldest)))?;
            for (position, id) in ids {
                self.assembler.remember(position, id);
            }
            copied = offsets;
        }
        Ok(read_from(self.assembler.offsets(), &copied, count))
    }

    /// Checks a copy too old to be remembered against the second copy of the log.
    pub(super) fn verify(&mut self, message: &Message) -> Result<(), Error> {
        let position = message.position;
        let known = |ids: &Ids| {
            let index = ids.binary_search_by_key(&position, |(position, _)| *position).ok()?;
            Some(ids[index].1)
        };
        let mut id = known(&self.copied_ids);
        if let (None, Some(copy)) = (id, &self.options.copy) {
            self.copied_ids = self.link.runtime.block_on(copy.ids(position))?;
            id = known(&self.copied_ids);
        }
        match id {
            None => Err(self.assembler.too_old(message)),
            Some(known) if known == message.event_id => {
                self.copies_dropped += 1;
                metrics::copies_dropped(1);
                Ok(())
            }
            Some(known) => Err(Error::CopyDiffers {
                position,
                known,
                found: message.event_id,
                place: message.place(),
            }),
        }
    }
}
