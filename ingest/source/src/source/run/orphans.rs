//! What the relay tells of the database's life, and what becomes of events that it does not have.

use millrace_events::Frontier;

use super::Run;
use crate::{DeadLetter, Error};

impl Run {
    /// Takes a frontier to heart: how far the log goes, and which events are orphans. Letters of events
    /// that are none any more are forgotten: they are applied now, or die again.
    pub(super) fn hear(&mut self, frontier: &Frontier) -> Result<(), Error> {
        self.assembler.hear_of(frontier.position);
        if !self.cutter.hear(frontier)? {
            return Ok(());
        }
        let letters = self.options.dead_letters.clone();
        let runtime = self.link.runtime.clone();
        self.orphans = runtime.block_on(letters.keep_orphans_within(&frontier.orphaned))?;
        if !frontier.orphaned.is_empty() {
            let ranges = frontier.orphaned.len();
            let incarnation = frontier.incarnation;
            tracing::warn!(
                incarnation,
                ranges,
                "events that the restored database lacks are left out"
            );
            self.replayed = runtime.block_on(letters.replayed_events())?;
        }
        Ok(())
    }

    /// Keeps a dead letter. An orphan may be the replay of an older one, which is then still to be done.
    pub(super) async fn keep(&self, letter: &DeadLetter) -> Result<(), Error> {
        let letters = &self.options.dead_letters;
        if !letter.is_orphaned {
            let reason = letter.events.first().map(|event| event.reason.as_str());
            tracing::warn!(id = letter.id.0, events = letter.events.len(), reason, "dead letter");
            return letters.keep(letter).await;
        }
        if self.orphans.contains(&letter.id) {
            return Ok(());
        }
        for event in &letter.events {
            let replays = self.replayed.get(&event.event_id).into_iter().flatten();
            // Before the letter is there, so that a crash repeats it.
            if let Some(id) = replays.filter(|id| **id < letter.id).max() {
                letters.forget_replay(*id).await?;
            }
        }
        letters.keep(letter).await
    }
}
