//! The event ids of the last positions passed.

use uuid::Uuid;

/// A window of ids that ends before the next position.
#[derive(Debug)]
pub(super) struct Recent {
    /// The id of position p is at p modulo the length; nil where it is not known.
    ids: Vec<Uuid>,
    next: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remembered {
    Same,
    Other(Uuid),
    Unknown,
}

impl Recent {
    pub(super) fn new(size: usize, next: u64) -> Self {
        Self { ids: vec![Uuid::nil(); size.max(1)], next }
    }

    /// The next position was passed and has this id.
    pub(super) fn push(&mut self, id: Uuid) {
        let slot = self.slot(self.next);
        self.ids[slot] = id;
        self.next += 1;
    }

    /// Learns the id of a position passed before, if the window still holds it.
    pub(super) fn remember(&mut self, position: u64, id: Uuid) {
        if self.holds(position) {
            let slot = self.slot(position);
            self.ids[slot] = id;
        }
    }

    pub(super) fn check(&self, position: u64, id: Uuid) -> Remembered {
        if !self.holds(position) {
            return Remembered::Unknown;
        }
        match self.ids[self.slot(position)] {
            known if known.is_nil() => Remembered::Unknown,
            known if known == id => Remembered::Same,
            known => Remembered::Other(known),
        }
    }

    /// The lowest position the window reaches back to.
    pub(super) fn oldest(&self) -> u64 {
        self.next.saturating_sub(self.ids.len() as u64).max(1)
    }

    fn holds(&self, position: u64) -> bool {
        position < self.next && self.next - position <= self.ids.len() as u64
    }

    fn slot(&self, position: u64) -> usize {
        (position % self.ids.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_forgets_what_is_too_old() {
        let mut recent = Recent::new(3, 1);
        for position in 1..=4_u128 {
            recent.push(Uuid::from_u128(position));
        }
        assert_eq!(recent.check(1, Uuid::from_u128(1)), Remembered::Unknown);
        assert_eq!(recent.check(2, Uuid::from_u128(2)), Remembered::Same);
        assert_eq!(recent.check(4, Uuid::from_u128(9)), Remembered::Other(Uuid::from_u128(4)));
    }

    #[test]
    fn what_was_passed_before_the_start_can_be_learnt() {
        let mut recent = Recent::new(8, 100);
        assert_eq!(recent.check(95, Uuid::from_u128(95)), Remembered::Unknown);
        recent.remember(95, Uuid::from_u128(95));
        recent.remember(91, Uuid::from_u128(91));
        assert_eq!(recent.check(95, Uuid::from_u128(95)), Remembered::Same);
        assert_eq!(recent.check(91, Uuid::from_u128(91)), Remembered::Unknown);
    }
}
