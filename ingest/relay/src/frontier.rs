//! When to tell on the control topic how far the log is complete.

use millrace_events::{Lsn, Position};
use tokio::time::{Duration, Instant};

/// Decides when the next frontier message is due: soon after events, seldom when only the LSN moves.
#[derive(Debug)]
pub(crate) struct Pace {
    busy: Duration,
    idle: Duration,
    told: (Lsn, Position),
    told_at: Option<Instant>,
    made_at: Instant,
    reached: (Lsn, Position),
}

impl Pace {
    pub(crate) fn new(busy: Duration, idle: Duration) -> Self {
        let start = (Lsn(0), Position::START);
        Self { busy, idle, told: start, told_at: None, made_at: Instant::now(), reached: start }
    }

    /// The log is complete up to here. The LSN may seem to go back after a reconnect; it does not.
    pub(crate) fn reach(&mut self, lsn: Lsn, position: Position) {
        self.reached = (self.reached.0.max(lsn), self.reached.1.max(position));
    }

    /// When the next message is due; `None` while there is nothing new.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.reached == self.told {
            return None;
        }
        let Some(told_at) = self.told_at else { return Some(self.made_at) };
        let gap = if self.reached.1 > self.told.1 { self.busy } else { self.idle };
        Some(told_at + gap)
    }

    /// What to tell now, if it is due.
    pub(crate) fn take(&mut self, now: Instant) -> Option<(Lsn, Position)> {
        if self.due()? > now {
            return None;
        }
        self.told_at = Some(now);
        self.rest()
    }

    /// What was not told yet, due or not.
    pub(crate) fn rest(&mut self) -> Option<(Lsn, Position)> {
        let is_new = self.reached != self.told;
        self.told = self.reached;
        is_new.then_some(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_sooner_than_silence() {
        let mut pace = Pace::new(Duration::from_millis(5), Duration::from_millis(100));
        assert_eq!(pace.due(), None);
        pace.reach(Lsn(10), Position(1));
        let begun = Instant::now();
        assert_eq!(pace.take(begun), Some((Lsn(10), Position(1))));
        pace.reach(Lsn(20), Position(1));
        let later = begun + Duration::from_millis(50);
        assert_eq!(pace.take(later), None, "only the LSN moved");
        pace.reach(Lsn(15), Position(2));
        assert_eq!(pace.take(begun + Duration::from_millis(4)), None, "too soon");
        assert_eq!(pace.take(later), Some((Lsn(20), Position(2))), "never back");
        pace.reach(Lsn(30), Position(3));
        assert_eq!(pace.rest(), Some((Lsn(30), Position(3))), "due or not");
        assert_eq!(pace.rest(), None);
    }
}
