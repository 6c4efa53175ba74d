//! Running a test with many seeds.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Queries nest deeply.
const STACK_BYTES: usize = 64 << 20;

/// Tells how to run a seed again when a test panics.
pub struct Again {
    pub seed: u64,
    pub test: &'static str,
}

impl Drop for Again {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { seed, test } = self;
            eprintln!("again: MILLRACE_SEED={seed} cargo t -p millrace-oracle --test it -- {test}");
        }
    }
}

/// The seeds to run: below `end`, below `end_long` with `MILLRACE_TEST_LONG`, the one that `MILLRACE_SEED` is.
pub fn chosen(end: u64, end_long: u64) -> Range<u64> {
    if let Ok(seed) = std::env::var("MILLRACE_SEED") {
        let seed = seed.parse().expect("MILLRACE_SEED is a number");
        return seed..seed + 1;
    }
    0..if std::env::var_os("MILLRACE_TEST_LONG").is_some() { end_long } else { end }
}

/// What each seed gives, in no order.
pub fn on_all_cores<T: Send>(seeds: Range<u64>, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new(Vec::new());
    let work = || {
        let drawn = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        for seed in drawn.take_while(|seed| *seed < seeds.end) {
            let outcome = run(seed);
            found.lock().expect("no thread panics here").push(outcome);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, work).expect("a thread can be had");
        }
    });
    found.into_inner().expect("no thread panics here")
}
