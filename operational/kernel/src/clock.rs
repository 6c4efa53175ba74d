//! Where time comes from. Nothing in a service asks the operating system itself.

use std::fmt::Debug;
use std::sync::Arc;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use parking_lot::Mutex;

pub trait Clock: Debug + Send + Sync {
    /// The time now, to the microsecond, which is what every store keeps.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        to_microsecond(Utc::now())
    }
}

/// A clock that stands until it is set: for tests and for telling history.
#[derive(Clone, Debug)]
pub struct SettableClock(Arc<Mutex<DateTime<Utc>>>);

impl SettableClock {
    #[must_use]
    pub fn at(time: DateTime<Utc>) -> Self {
        Self(Arc::new(Mutex::new(to_microsecond(time))))
    }

    pub fn set(&self, time: DateTime<Utc>) {
        *self.0.lock() = to_microsecond(time);
    }

    pub fn advance(&self, by: TimeDelta) {
        *self.0.lock() += by;
    }
}

impl Clock for SettableClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock()
    }
}

fn to_microsecond(time: DateTime<Utc>) -> DateTime<Utc> {
    time.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(time)
}
