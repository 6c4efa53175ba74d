//! The simulator: an engine with its log of inputs, journal, checkpoints and sinks, stopped anywhere.
//!
//! A seed decides everything: kinds of relations, views, some of them of random queries, epochs and their
//! sizes, workers, checkpoints kept, which views come, change and go on the way, and where the process stops:
//! between any two steps of its driver, or in the middle of a write of the journal or of a checkpoint. The
//! next process restores, often with other workers, perhaps after the newest checkpoint was damaged, and
//! replays what the journal says. Replayed epochs must give what they gave before: the same rows, and in the
//! same order where the state comes from the same checkpoint and is divided among as many workers. In the
//! end every sink and every snapshot must be what batch SQL answers over the log. For a share of the seeds
//! they must be after every epoch.

mod catalog;
mod log;
mod seam;
mod simulation;
mod sink;
mod store;

use seam::{Seam, Tally};
use simulation::Simulation;

use crate::seeds::{Again, chosen, on_all_cores};

const SEEDS: u64 = 200;
/// With `MILLRACE_TEST_LONG`.
const SEEDS_LONG: u64 = 10_000;

/// What seeds must have come by, besides all seams, for the simulation to mean anything.
const EVENTS: [&str; 13] = [
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
    "random queries",
    "same bytes",
    "same rows",
];

fn run(seed: u64) -> Tally {
    let _again = Again { seed, test: "simulator" };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without IO can be had");
    let outcome = runtime.block_on(Simulation::new(seed).run());
    outcome.unwrap_or_else(|what| panic!("seed {seed}: {what}"))
}

#[test]
fn nothing_is_lost_or_doubled_wherever_the_engine_stops() {
    let seeds = chosen(SEEDS, SEEDS_LONG);
    let is_single = seeds.end - seeds.start == 1;
    let mut tally = Tally::default();
    on_all_cores(seeds, run).into_iter().for_each(|found| tally.add(found));
    eprintln!("{tally:#?}");
    if is_single {
        return;
    }
    for seam in Seam::ALL {
        assert!(tally.get(&format!("{seam:?}")) > 0, "no seed stopped at {seam:?}");
    }
    for event in EVENTS {
        assert!(tally.get(event) > 0, "no seed came by this: {event}");
    }
}
