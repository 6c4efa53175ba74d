//! The simulator: an engine with its log of inputs, journal, checkpoints and sinks, stopped anywhere.
//!
//! A seed decides everything: kinds of relations, views, epochs and their sizes, workers, checkpoints kept,
//! which views come, change and go on the way, and where the process stops: between any two steps of its
//! driver, or in the middle of a write of the journal or of a checkpoint. The next process restores, often
//! with other workers, perhaps after the newest checkpoint was damaged, and replays what the journal says.
//! Replayed epochs must give what they gave before: the same rows, and in the same order where the state
//! comes from the same checkpoint and is divided among as many workers. In the end every sink and every
//! snapshot must be what batch SQL answers over the log. For a share of the seeds they must be after every
//! epoch.

mod catalog;
mod log;
mod seam;
mod simulation;
mod sink;
mod store;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use seam::{Seam, Tally};
use simulation::Simulation;

const SEEDS: u64 = 200;
/// With `MILLRACE_TEST_LONG`.
const SEEDS_LONG: u64 = 10_000;

/// What seeds must have come by, besides all seams, for the simulation to mean anything.
const EVENTS: [&str; 12] = [
    "created",
    "replaced",
    "dropped",
    "a view came too late",
    "a checkpoint failed",
    "checkpoints damaged",
    "damage was refused for the checkpoint before",
    "started over",
    "restored among other workers",
    "epochs replayed",
    "same bytes",
    "same rows",
];

/// Tells how to run a seed again when its simulation panics.
struct Again(u64);

impl Drop for Again {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!(
                "seed {seed}; again: MILLRACE_SEED={seed} cargo t -p millrace-oracle --test it -- simulator"
            );
        }
    }
}

fn run(seed: u64) -> Tally {
    let _again = Again(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without IO can be had");
    let outcome = runtime.block_on(Simulation::new(seed).run());
    outcome.unwrap_or_else(|what| panic!("seed {seed}: {what}"))
}

/// Runs seeds below `end` on all cores.
fn run_all(end: u64) -> Tally {
    let next = AtomicU64::new(0);
    let tally = Mutex::new(Tally::default());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let seeds = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
                for seed in seeds.take_while(|seed| *seed < end) {
                    let found = run(seed);
                    tally.lock().expect("no thread panics here").add(found);
                }
            });
        }
    });
    tally.into_inner().expect("no thread panics here")
}

#[test]
fn nothing_is_lost_or_doubled_wherever_the_engine_stops() {
    if let Ok(seed) = std::env::var("MILLRACE_SEED") {
        run(seed.parse().expect("MILLRACE_SEED is a number"));
        return;
    }
    let is_long = std::env::var_os("MILLRACE_TEST_LONG").is_some();
    let tally = run_all(if is_long { SEEDS_LONG } else { SEEDS });
    eprintln!("{tally:#?}");
    for seam in Seam::ALL {
        assert!(tally.get(&format!("{seam:?}")) > 0, "no seed stopped at {seam:?}");
    }
    for event in EVENTS {
        assert!(tally.get(event) > 0, "no seed came by this: {event}");
    }
}
