//! What the relay tells of the database's life, and what becomes of events that it does not have.

use std::collections::HashMap;

use millrace_events::Frontier;

use super::Run;
use crate::{DeadLetter, Error};

impl Run {
    /// Takes a frontier to heart: how far the log goes, and which events are orphans. Letters of events
    /// that are none any more are forgotten: they are applied now, or die again.
    pub(super) fn hear(&mut self, frontier: &Frontier) -> Result<(), Error> {
        self.assembler.hear_of(frontier.position);
        if self.cutter.hear(frontier)? {
            let letters = self.options.dead_letters.clone();
            self.replayed = self.link.runtime.block_on(async {
                letters.forget_orphans_outside(&frontier.orphaned).await?;
                if frontier.orphaned.is_empty() {
                    return Ok(HashMap::new());
                }
                letters.replayed_events().await
            })?;
        }
        Ok(())
    }

    /// Keeps a dead letter. An orphan may be the replay of an older one, which is then still to be done.
    pub(super) async fn keep(&self, letter: &DeadLetter) -> Result<(), Error> {
        let letters = &self.options.dead_letters;
        if letter.is_orphaned {
            if letters.has(letter).await? {
                return Ok(());
            }
            for event in &letter.events {
                let replays = self.replayed.get(&event.event_id).into_iter().flatten();
                // Before the letter is there, so that a crash repeats it.
                if let Some(id) = replays.filter(|id| **id < letter.id).max() {
                    letters.forget_replay(*id).await?;
                }
            }
        }
        let reason = letter.events.first().map(|event| event.reason.as_str());
        tracing::warn!(id = letter.id.0, events = letter.events.len(), reason, "dead letter");
        letters.keep(letter).await
    }
}
