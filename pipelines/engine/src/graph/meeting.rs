//! Where workers wait for each other between two stages of an epoch.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// How often a worker looks for the others before it goes to sleep, about a tenth of a millisecond: to be woken
/// up takes as long as a small stage.
const LOOKS_MAX: usize = 2_000;

/// A place where a number of workers meet, again and again.
#[derive(Debug)]
pub(super) struct Meeting {
    workers: usize,
    /// Workers that wait there.
    waiting: Mutex<usize>,
    has_met: Condvar,
    /// How often all have met.
    times: AtomicUsize,
    is_called_off: AtomicBool,
}

/// Someone takes part. Who leaves in a panic calls the meeting off, so that nobody waits in vain.
#[derive(Debug)]
pub(super) struct Participant<'a>(&'a Meeting);

impl Meeting {
    pub fn new(workers: usize) -> Self {
        Self {
            workers,
            waiting: Mutex::new(0),
            has_met: Condvar::new(),
            times: AtomicUsize::new(0),
            is_called_off: AtomicBool::new(false),
        }
    }

    pub fn join(&self) -> Participant<'_> {
        Participant(self)
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Participant<'_> {
    /// Waits until all are there. Whether they will be: not when one of them panicked.
    pub fn meet(&self) -> bool {
        let meeting = self.0;
        let mut waiting = meeting.lock();
        let times = meeting.times.load(Ordering::Acquire);
        *waiting += 1;
        if *waiting == meeting.workers {
            *waiting = 0;
            meeting.times.store(times + 1, Ordering::Release);
            meeting.has_met.notify_all();
        }
        drop(waiting);
        let is_over = || {
            let has_met = meeting.times.load(Ordering::Acquire) != times;
            has_met || meeting.is_called_off.load(Ordering::Acquire)
        };
        let mut looks = 0;
        while looks < LOOKS_MAX && !is_over() {
            std::hint::spin_loop();
            looks += 1;
        }
        let mut waiting = meeting.lock();
        while !is_over() {
            waiting = meeting.has_met.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        !meeting.is_called_off.load(Ordering::Acquire)
    }
}

impl Drop for Participant<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _waiting = self.0.lock();
            self.0.is_called_off.store(true, Ordering::Release);
            self.0.has_met.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_goes_on_before_all_are_there() {
        let (meeting, steps) = (Meeting::new(3), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let participant = meeting.join();
                    for round in 0..500 {
                        steps.fetch_add(1, Ordering::SeqCst);
                        assert!(participant.meet());
                        assert!(steps.load(Ordering::SeqCst) >= (round + 1) * 3);
                        assert!(participant.meet());
                    }
                });
            }
        });
        assert_eq!(steps.into_inner(), 1500);
    }

    #[test]
    fn a_panic_calls_it_off() {
        let meeting = Meeting::new(2);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| meeting.join().meet());
            let panicking = scope.spawn(|| {
                let _participant = meeting.join();
                panic!("on purpose");
            });
            assert!(panicking.join().is_err());
            assert!(!waiting.join().unwrap());
        });
    }
}
