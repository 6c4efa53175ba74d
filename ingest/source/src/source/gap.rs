//! How long the same position has been missing.

use std::time::{Duration, Instant};

use millrace_events::Position;

use crate::assemble::Missing;

/// Shorter waits are the ordinary unevenness of partitions.
pub(super) const NOTICED_AFTER: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct GapWatch {
    waiting: Option<(Position, Instant)>,
    noticed: bool,
}

/// What to do about a missing position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    NotYet,
    /// It has just become a gap worth telling.
    Noticed,
    Long(Duration),
}

impl GapWatch {
    /// Looks at what is missing at the moment; to be called only while the log is being read and
    /// connected, else [`GapWatch::pause`].
    pub(super) fn look(&mut self, missing: Option<Missing>, now: Instant) -> Waited {
        let Some(missing) = missing else {
            self.pause();
            return Waited::NotYet;
        };
        match self.waiting {
            Some((position, since)) if position == missing.position => {
                let waited = now.saturating_duration_since(since);
                if waited < NOTICED_AFTER {
                    return Waited::NotYet;
                }
                if !std::mem::replace(&mut self.noticed, true) {
                    return Waited::Noticed;
                }
                Waited::Long(waited)
            }
            _ => {
                self.waiting = Some((missing.position, now));
                self.noticed = false;
                Waited::NotYet
            }
        }
    }

    pub(super) fn pause(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_noticed(&self) -> bool {
        self.noticed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_missing_position_adds_up() {
        let mut watch = GapWatch::default();
        let start = Instant::now();
        let missing = |position| Some(Missing { position: Position(position), seen: Position(99) });
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(watch.look(missing(5), at(0)), Waited::NotYet);
        assert_eq!(watch.look(missing(6), at(900)), Waited::NotYet);
        assert_eq!(watch.look(missing(6), at(1800)), Waited::NotYet);
        assert_eq!(watch.look(missing(6), at(1900)), Waited::Noticed);
        assert_eq!(watch.look(missing(6), at(2900)), Waited::Long(Duration::from_secs(2)));
        watch.pause();
        assert_eq!(watch.look(missing(6), at(9000)), Waited::NotYet);
    }
}
