//! How many live streams there may be.

use std::collections::HashMap;
use std::sync::Arc;

use metrics::gauge;
use millrace_events::UserId;
use parking_lot::Mutex;

use crate::Error;

/// Counts streams, in all and by user.
#[derive(Debug)]
pub(crate) struct Slots {
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    most: usize,
    most_per_user: usize,
}

/// A stream's right to be; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    user: UserId,
}

impl Slots {
    pub(crate) fn new(most: usize, most_per_user: usize) -> Self {
        Self { taken: Arc::default(), most, most_per_user }
    }

    /// # Errors
    /// [`Error::StreamsTaken`].
    pub(crate) fn take(&self, user: UserId) -> Result<Slot, Error> {
        let mut taken = self.taken.lock();
        if taken.values().sum::<usize>() >= self.most {
            return Err(Error::StreamsTaken { most: self.most, whose: "of this gateway" });
        }
        let own = taken.entry(user).or_default();
        if *own >= self.most_per_user {
            return Err(Error::StreamsTaken { most: self.most_per_user, whose: "of yours" });
        }
        *own += 1;
        gauge!("millrace_streams_open").increment(1);
        Ok(Slot { taken: Arc::clone(&self.taken), user })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(own) = taken.get_mut(&self.user) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.user);
            }
        }
        gauge!("millrace_streams_open").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_given_back_is_free_again() {
        let slots = Slots::new(3, 2);
        let (asha, ben) = (UserId::new(), UserId::new());
        let held = (slots.take(asha).expect("one"), slots.take(asha).expect("two"));
        assert!(slots.take(asha).is_err(), "two of a user's own");
        let last = slots.take(ben).expect("three");
        assert!(slots.take(ben).is_err(), "three in all");
        drop(held);
        assert!(slots.take(asha).is_ok());
        drop(last);
        assert!(slots.taken.lock().is_empty(), "users without streams are forgotten");
    }
}
