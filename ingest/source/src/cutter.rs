//! From a prefix of the log to an epoch. Knows no broker and no store.

use std::collections::{BTreeMap, HashSet};

use millrace_events::{Frontier, Position, PositionRange};

use crate::decode::{Decoded, Decoder};
use crate::{Cut, DeadLetter, Error, Frontiers, Message, SourceEpoch};

/// Cuts epochs one after the other.
#[derive(Debug)]
pub struct Cutter {
    decoder: Decoder,
    cut: Cut,
    dead: HashSet<Position>,
    orphaned: Vec<PositionRange>,
    pub frontiers: Frontiers,
}

/// An epoch, and what has to be kept before it is given out.
#[derive(Debug)]
pub struct CutEpoch {
    pub epoch: SourceEpoch,
    pub dead_letters: Vec<DeadLetter>,
}

impl Cutter {
    #[must_use]
    pub fn new(start: Cut) -> Self {
        Self {
            decoder: Decoder::default(),
            cut: start,
            dead: HashSet::new(),
            orphaned: Vec::new(),
            frontiers: Frontiers::default(),
        }
    }

    /// Transactions that are dead letters already, by the position of their first event. They stay so
    /// though a newer program could decode them: if they were replayed, their events come again, and
    /// if not, they can be.
    #[must_use]
    pub fn leaving_dead(self, dead: HashSet<Position>) -> Self {
        Self { dead, ..self }
    }

    /// Learns how far the log is complete, and which events the database does not have. Gives whether
    /// that is news.
    ///
    /// # Errors
    /// [`Error::NewIncarnation`] when the database was restored since the last cut: what was passed may
    /// hold events that it does not have.
    pub fn hear(&mut self, frontier: &Frontier) -> Result<bool, Error> {
        let (known, incarnation) = (self.cut.incarnation, frontier.incarnation);
        if self.cut.position > Position::START && incarnation > known.max(1) {
            return Err(Error::NewIncarnation { known, incarnation });
        }
        // One of an earlier life, told before the database was restored.
        if incarnation < known {
            return Ok(false);
        }
        self.frontiers.note(frontier);
        let is_news = incarnation > known || self.orphaned != frontier.orphaned;
        if is_news {
            self.cut.incarnation = incarnation;
            self.orphaned.clone_from(&frontier.orphaned);
        }
        Ok(is_news)
    }

    /// The last position passed.
    #[must_use]
    pub fn position(&self) -> Position {
        self.cut.position
    }

    #[must_use]
    pub fn last_cut(&self) -> &Cut {
        &self.cut
    }

    /// Makes one epoch of whole transactions that go on where the last epoch ended. `offsets` are
    /// those to read next once the messages are passed.
    ///
    /// # Errors
    /// [`Error::Schema`] when decoded columns don't fit the catalogue.
    pub fn cut(
        &mut self,
        messages: &[Message],
        offsets: BTreeMap<String, Vec<i64>>,
    ) -> Result<CutEpoch, Error> {
        let first_position = self.cut.position.next();
        let mut dead_letters = Vec::new();
        let mut dead = 0;
        for transaction in messages.chunk_by(|before, _| before.number < before.size) {
            let first = transaction[0].position;
            if self.orphaned.iter().any(|range| range.contains(first)) {
                dead += transaction.len() as u64;
                dead_letters.extend(DeadLetter::orphaned(transaction));
            } else if self.dead.contains(&first) {
                dead += transaction.len() as u64;
            } else if let Err((position, reason)) = self.decoder.transaction(transaction) {
                dead += transaction.len() as u64;
                dead_letters.extend(DeadLetter::of(transaction, position, &reason.to_string()));
            }
        }
        let Decoded { tables, oldest_event_at, newest_event_at } = self.decoder.finish()?;
        self.cut.epoch += 1;
        self.cut.position.0 += messages.len() as u64;
        self.cut.dead_lettered += dead;
        self.cut.applied += messages.len() as u64 - dead;
        self.cut.offsets = offsets;
        debug_assert_eq!(self.cut.applied + self.cut.dead_lettered, self.cut.position.0, "PIP-2");
        debug_assert_eq!(
            messages.last().map_or(self.cut.position, |last| last.position),
            self.cut.position,
            "OUT-3"
        );
        self.frontiers.pass(self.cut.position);
        let epoch = SourceEpoch {
            number: self.cut.epoch,
            first_position,
            last_position: self.cut.position,
            cut: self.cut.clone(),
            tables,
            traceparents: traceparents(messages),
            oldest_event_at,
            newest_event_at,
            frontier: self.frontiers.passed(),
        };
        Ok(CutEpoch { epoch, dead_letters })
    }
}

/// The newest ones, one per transaction: the commands of the newest are still being waited for.
fn traceparents(messages: &[Message]) -> Vec<String> {
    let newest = messages.iter().rev().filter(|message| message.number == 1);
    newest
        .filter_map(|message| message.traceparent.as_deref())
        .take(SourceEpoch::TRACEPARENTS_MAX)
        .map(str::to_owned)
        .collect()
}
