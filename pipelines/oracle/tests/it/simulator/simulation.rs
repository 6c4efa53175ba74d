//! One seed: an engine with its driver, stopped and restored until the log is read to its end.

use std::collections::BTreeMap;

use millrace_engine::{
    CheckpointId, Cut, Engine, EngineConfig, EpochChanges, Error, Journal, JournalEntry,
};
use millrace_oracle::Difference;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::catalog::{Catalog, ViewChange};
use super::log::{Log, cut_at, position};
use super::seam::{NextStop, Seam, Tally};
use super::sink::{Change, Lineage, Sink};
use super::store::{Fault, FaultyStore, Reach};
use crate::fixture::{add_changes, batch_rows, batch_session, engine, register, rows_of, view};
use crate::plans;
use crate::queries::clock;

/// Epochs without input in which views may finish filling at the end.
const EPOCHS_TO_FILL_MAX: u64 = 5000;

/// Why a process ends before its work is done.
#[derive(Debug)]
pub enum End {
    /// It was stopped there.
    Stopped(Seam),
    /// It found that it has to begin from the first entry of the log.
    StartedOver,
    /// The engine is wrong.
    Wrong(String),
}

type Step<T = ()> = Result<T, End>;

fn wrong<T>(what: impl Into<String>) -> Step<T> {
    Err(End::Wrong(what.into()))
}

/// What ends with the process.
struct Process {
    engine: Engine,
    journal: Journal,
    /// Epochs to feed again.
    replay: Vec<JournalEntry>,
    /// Epoch of the checkpoint it began from.
    restored: u64,
    lineage: Lineage,
}

/// What outlives the process, and what the seed decided.
pub struct Simulation {
    seed: u64,
    random: ChaCha8Rng,
    log: Log,
    store: FaultyStore,
    sink: Sink,
    catalog: Catalog,
    config: EngineConfig,
    /// How many epochs lie between checkpoints.
    checkpoint_every: u64,
    compares_each_epoch: bool,
    stops_left: usize,
    next_stop: Option<NextStop>,
    changes_left: usize,
    /// Epochs of checkpoints that were made and not damaged.
    sound: Vec<u64>,
    /// By epoch of a checkpoint, whole or not.
    lineages: BTreeMap<u64, Lineage>,
    tally: Tally,
    /// What happened, to be told with what went wrong.
    story: Vec<String>,
}

impl Simulation {
    pub fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let log = Log::write(seed, &mut random);
        let catalog = Catalog::choose(&mut random);
        let store = match random.random_bool(0.1) {
            true => FaultyStore::on_disk(),
            false => FaultyStore::in_memory(),
        };
        let config = EngineConfig {
            workers: random.random_range(1..=4),
            checkpoints_kept: random.random_range(1..=3),
            fill_rows_max: match random.random_bool(0.3) {
                true => random.random_range(20..200),
                false => usize::MAX,
            },
            ..EngineConfig::default()
        };
        Self {
            seed,
            log,
            store,
            sink: Sink::default(),
            catalog,
            config,
            checkpoint_every: random.random_range(1..5),
            compares_each_epoch: random.random_bool(0.25),
            stops_left: random.random_range(0..7),
            next_stop: None,
            changes_left: if random.random_bool(0.6) { random.random_range(1..6) } else { 0 },
            sound: Vec::new(),
            lineages: BTreeMap::new(),
            tally: Tally::default(),
            story: Vec::new(),
            random,
        }
    }

    /// Runs to the end of the log, through all stops.
    ///
    /// # Errors
    /// What the engine did wrong.
    pub async fn run(mut self) -> Result<Tally, String> {
        self.add_random_views().await;
        loop {
            match self.live().await {
                Ok(()) => return Ok(self.tally),
                Err(End::Stopped(seam)) => {
                    self.tally.count(format!("{seam:?}"));
                    self.story.push(format!("stopped: {seam:?}"));
                    self.store.restart();
                }
                Err(End::StartedOver) => self.tally.count("started over"),
                Err(End::Wrong(what)) => return Err(format!("{what}\n{}", self.story.join("\n"))),
            }
        }
    }

    /// Adds views of random queries that batch SQL answers. What it answers only because a table happens to be
    /// empty, the engine refuses.
    async fn add_random_views(&mut self) {
        for _ in 0..self.random.random_range(0..3) {
            let tape: Vec<u16> = (0..150).map(|_| self.random.random()).collect();
            let (sql, _) = plans::query(&tape);
            let context = batch_session(self.log.tables_at(&cut_at(self.log.end()))).await;
            let answer = async { context.sql(&sql).await?.collect().await };
            let mut engine = engine(self.log.relations(), Vec::new());
            if answer.await.is_ok() && engine.create_view(view("random", "", &sql)).is_ok() {
                self.tally.count("random queries");
                self.catalog.add_random(sql);
            }
        }
    }

    /// One process, from its start to the end of the log or to a stop.
    async fn live(&mut self) -> Step {
        self.next_stop = None;
        if self.stops_left > 0 {
            self.stops_left -= 1;
            self.next_stop = Some(NextStop::draw(&mut self.random));
        }
        let mut process = self.start()?;
        for entry in std::mem::take(&mut process.replay) {
            self.tally.count("epochs replayed");
            self.epoch(&mut process, entry.epoch, entry.cut, true).await?;
        }
        if process.engine.epoch() < self.sink.progress() {
            let (journal, sink) = (process.engine.epoch(), self.sink.progress());
            return wrong(format!("the journal ends at epoch {journal}, the sinks have {sink}"));
        }
        while position(process.engine.cut()) < self.log.end() {
            self.change_views(&mut process)?;
            let entries = [1, 1, 1, 1, 0, 2, 3][self.random.random_range(0..7)];
            let to = (position(process.engine.cut()) + entries).min(self.log.end());
            let number = process.engine.epoch() + self.random.random_range(1..3);
            self.epoch(&mut process, number, cut_at(to), false).await?;
        }
        for _ in 0..EPOCHS_TO_FILL_MAX {
            if !self.is_filling(&mut process)? {
                return self.compare(&process).await;
            }
            let (number, cut) = (process.engine.epoch() + 1, process.engine.cut().clone());
            self.epoch(&mut process, number, cut, false).await?;
        }
        wrong("new views never catch up")
    }

    /// Restores an engine and finds what it has to do again.
    fn start(&mut self) -> Step<Process> {
        let manifests = self.store.names("manifest-");
        let is_there = |epoch: &u64| manifests.contains(&format!("manifest-{epoch:020}"));
        if self.sound.last().is_some_and(|newest| !is_there(newest)) && manifests.is_empty() {
            return wrong(format!("of {:?} no checkpoint is left", self.sound));
        }
        // A checkpoint that was cut short may have come as far as to remove older ones.
        self.sound.retain(is_there);
        let is_damaged = self.tally.get("starts") > 0 && self.random.random_bool(0.3);
        let damaged = if is_damaged { self.damage_newest() } else { None };
        self.tally.count("starts");
        if self.random.random_bool(0.5) {
            self.config.workers = self.random.random_range(1..=4);
        }
        self.arm_at(Seam::Restore, 12);
        let (relations, views) = (self.log.relations(), self.catalog.views.clone());
        let restored = Engine::restore(self.config.clone(), relations, views, &self.store);
        self.store.disarm();
        if self.store.is_down() {
            return Err(End::Stopped(Seam::Restore));
        }
        let engine = match restored {
            Ok((engine, _)) => engine,
            Err(Error::NoUsableCheckpoint { .. }) if self.sound.is_empty() => {
                return self.start_over();
            }
            Err(Error::StateMissing { view, .. }) if self.catalog.changed.contains_key(&view) => {
                self.tally.count("state of a new view is missing");
                return self.start_over();
            }
            Err(error) => return wrong(format!("restore: {error}")),
        };
        let restored = engine.epoch();
        if self.sound.last().is_some_and(|sound| restored < *sound) {
            return wrong(format!("epoch {restored} was restored, {:?} are there", self.sound));
        }
        if damaged == Some(restored) {
            return wrong(format!(
                "the checkpoint of epoch {restored} is damaged and was restored"
            ));
        }
        if damaged.is_some() && restored > 0 {
            self.tally.count("damage was refused for the checkpoint before");
        }
        let workers = self.config.workers;
        self.story.push(format!("restored at {restored} with {workers} workers"));
        let mut lineage = self.lineages.get(&restored).cloned().unwrap_or_default();
        if lineage.last().is_some_and(|(_, before)| *before != workers) {
            self.tally.count("restored among other workers");
        }
        lineage.push((restored, workers));
        self.arm_at(Seam::Reopen, 4);
        let opened = Journal::open(&mut self.store, restored);
        self.store.disarm();
        match opened {
            _ if self.store.is_down() => Err(End::Stopped(Seam::Reopen)),
            Ok((journal, replay)) => Ok(Process { engine, journal, replay, restored, lineage }),
            Err(error) => wrong(format!("journal: {error}")),
        }
    }

    /// Flips a bit in the newest checkpoint and gives its epoch, if the engine must notice.
    fn damage_newest(&mut self) -> Option<u64> {
        let manifest = self.store.names("manifest-").pop()?;
        let digits = manifest.trim_start_matches("manifest-");
        let epoch: u64 = digits.parse().expect("a manifest is named by its epoch");
        let mut own = self.store.names(&format!("segment-{digits}"));
        own.push(manifest.clone());
        let name = &own[self.random.random_range(0..own.len())];
        self.store.damage(name, self.random.random_range(0..1000));
        self.sound.retain(|sound| *sound < epoch);
        self.tally.count("checkpoints damaged");
        self.story.push(format!("damaged: {name}"));
        // What belongs to views that are gone is not read.
        let is_read =
            *name == manifest || self.catalog.changed.values().all(|changed| *changed < epoch);
        is_read.then_some(epoch)
    }

    /// Begins anew from the first entry of the log, as the engine says one must.
    fn start_over<T>(&mut self) -> Step<T> {
        self.store.clear();
        self.sink = Sink::default();
        self.sound.clear();
        self.lineages.clear();
        Err(End::StartedOver)
    }

    /// Ends the process if its time has come.
    fn pass(&mut self, seam: Seam) -> Step {
        if self.is_due(seam) { Err(End::Stopped(seam)) } else { Ok(()) }
    }

    fn is_due(&mut self, seam: Seam) -> bool {
        let Some(next) = self.next_stop.as_mut().filter(|next| next.seam == seam) else {
            return false;
        };
        let is_due = next.passes == 0;
        next.passes = next.passes.saturating_sub(1);
        is_due
    }

    /// Lets one of the store's next calls be the last, if the time of this seam has come.
    fn arm_at(&mut self, seam: Seam, calls_max: usize) {
        if self.is_due(seam) {
            self.arm(calls_max, true);
        }
    }

    fn arm(&mut self, calls_max: usize, lasts: bool) {
        let reach = [Reach::Nothing, Reach::Half, Reach::All][self.random.random_range(0..3)];
        let calls_left = self.random.random_range(0..calls_max);
        self.store.arm(Fault { calls_left, reach, lasts });
    }

    async fn epoch(
        &mut self,
        process: &mut Process,
        number: u64,
        cut: Cut,
        is_replay: bool,
    ) -> Step {
        self.story.push(format!("epoch {number} up to {}", position(&cut)));
        let Some(inputs) = self.log.between(process.engine.cut(), &cut) else {
            return wrong(format!("the cut goes back from {:?}", process.engine.cut()));
        };
        self.pass(Seam::Taken)?;
        let now = self.log.time_at(&cut);
        let epoch = millrace_engine::Epoch { number, cut: cut.clone(), inputs, now };
        let changes = match process.engine.step(epoch).and_then(EpochChanges::joined) {
            Ok(changes) => changes,
            Err(error) => return wrong(format!("epoch {number}: {error}")),
        };
        if !changes.stopped.is_empty() || !changes.given_up.is_empty() {
            return wrong(format!("{:?} {:?}", changes.stopped, changes.given_up));
        }
        add_changes(&mut BTreeMap::new(), &changes);
        self.pass(Seam::Stepped)?;
        if !is_replay {
            self.arm_at(Seam::Journal, 1);
            let written = process.journal.append(&mut self.store, number, &cut);
            self.store.disarm();
            if self.store.is_down() {
                return Err(End::Stopped(Seam::Journal));
            }
            if let Err(error) = written {
                return wrong(format!("journal: {error}"));
            }
        }
        self.pass(Seam::Journaled)?;
        self.hand_out(process, &changes)?;
        self.pass(Seam::Sunk)?;
        self.sink.finish(number);
        self.pass(Seam::Done)?;
        if self.compares_each_epoch && !self.is_filling(process)? {
            self.compare(process).await?;
        }
        if number > process.restored && number.is_multiple_of(self.checkpoint_every) {
            self.checkpoint(process)?;
        }
        Ok(())
    }

    /// Gives each view's sink its change. Where the epoch was there before, it must be the same.
    fn hand_out(&mut self, process: &Process, changes: &EpochChanges) -> Step {
        let epoch = changes.epoch;
        for view in self.catalog.views.clone() {
            let name = &view.name;
            let delta = changes.changes.iter().find(|(changed, _)| changed == name);
            let delta = delta.map(|(_, delta)| delta.clone());
            let is_whole = changes.filled.contains(name);
            let change = Change { is_whole, delta, lineage: process.lineage.clone() };
            let earlier = self.sink.write(name, epoch, change.clone());
            if let Some(earlier) = earlier.filter(|_| self.is_settled(process, name)) {
                // State that was restored or filled anew may hold its rows in another order.
                let is_exact =
                    earlier.lineage == change.lineage && !self.catalog.changed.contains_key(name);
                let is_right = match is_exact {
                    true => earlier.is_same(&change),
                    false => earlier.comes_to(&change),
                };
                if !is_right {
                    return wrong(format!(
                        "epoch {epoch} gave {name} ({}) {earlier}\nand when it was replayed {change}",
                        view.sql
                    ));
                }
                self.tally.count(if is_exact { "same bytes" } else { "same rows" });
            }
            self.pass(Seam::BetweenSinks)?;
        }
        Ok(())
    }

    /// Whether a view was what it is when the checkpoint was made that the process began from.
    fn is_settled(&self, process: &Process, view: &str) -> bool {
        match self.catalog.changed.get(view) {
            None => true,
            Some(changed) => {
                self.config.fill_rows_max == usize::MAX && changed + 1 < process.restored
            }
        }
    }

    /// Whether some view has yet to take in what it reads.
    fn is_filling(&self, process: &mut Process) -> Step<bool> {
        let Some(view) = self.catalog.views.first() else { return Ok(false) };
        // What is replaced by itself stays; only the answer counts.
        match process.engine.replace_view(view.clone()) {
            Ok(()) => Ok(false),
            Err(Error::Filling { .. }) => Ok(true),
            Err(error) => wrong(format!("{} replaced by itself: {error}", view.name)),
        }
    }

    fn change_views(&mut self, process: &mut Process) -> Step {
        if self.changes_left == 0 || !self.random.random_bool(0.4) {
            return Ok(());
        }
        self.changes_left -= 1;
        let Some(change) = self.catalog.draw_change(&mut self.random) else { return Ok(()) };
        match change.apply(&mut process.engine) {
            Ok(()) => {}
            Err(Error::HasReaders { .. } | Error::Filling { .. }) => return Ok(()),
            Err(error) if self.catalog.is_too_late(&change, &error) => {
                self.tally.count("a view came too late");
                return Ok(());
            }
            Err(error) => return wrong(format!("{change:?}: {error}")),
        }
        self.pass(Seam::ViewChanged)?;
        self.tally.count(change.verb());
        self.story.push(format!("{change:?}"));
        let epoch = process.engine.epoch();
        self.catalog.record(&change, epoch);
        if let ViewChange::Drop(name) = change {
            // Its table is emptied; a view of that name may come again.
            let change = Change { is_whole: true, delta: None, lineage: process.lineage.clone() };
            self.sink.write(&name, epoch, change);
        }
        Ok(())
    }

    fn checkpoint(&mut self, process: &mut Process) -> Step {
        let epoch = process.engine.epoch();
        self.arm_at(Seam::Checkpoint, 12);
        let may_fail = !self.store.is_armed() && self.random.random_bool(0.1);
        if may_fail {
            self.arm(8, false);
        }
        self.lineages.insert(epoch, process.lineage.clone());
        let made = process.engine.checkpoint(&mut self.store);
        self.store.disarm();
        if self.store.is_down() {
            return Err(End::Stopped(Seam::Checkpoint));
        }
        match made {
            Ok(made) if made == CheckpointId(epoch) => {}
            Ok(made) => return wrong(format!("{made:?} was made at epoch {epoch}")),
            Err(error) if may_fail && error.is_retryable() => {
                self.tally.count("a checkpoint failed");
                return Ok(());
            }
            Err(error) => return wrong(format!("checkpoint at {epoch}: {error}")),
        }
        self.story.push(format!("checkpoint at {epoch}"));
        self.sound.push(epoch);
        let surplus = self.sound.len().saturating_sub(self.config.checkpoints_kept);
        self.sound.drain(..surplus);
        self.pass(Seam::Checkpointed)?;
        let oldest = process.engine.oldest_checkpoint().map_or(epoch, |oldest| oldest.0);
        self.arm_at(Seam::Journals, 4);
        let forgotten = process.journal.checkpointed(&mut self.store, epoch, oldest);
        self.store.disarm();
        match forgotten {
            _ if self.store.is_down() => Err(End::Stopped(Seam::Journals)),
            Ok(()) => Ok(()),
            Err(error) => wrong(format!("journal: {error}")),
        }
    }

    /// Requires every view's snapshot and sink to be what batch SQL answers.
    async fn compare(&mut self, process: &Process) -> Step {
        let engine = &process.engine;
        let context = batch_session(self.log.tables_at(engine.cut())).await;
        let now = self.log.time_at(engine.cut());
        for view in &self.catalog.views {
            let batches = batch_rows(&context, &clock::at(&view.sql, now)).await;
            let epoch = engine.epoch();
            let place = format!("after epoch {epoch}, view {}: {}", view.name, view.sql);
            let mut expected = rows_of(&batches);
            if view.materialize {
                let snapshot = engine.snapshot(&view.name).and_then(|snapshot| snapshot.batches());
                let rows = snapshot.map_err(|error| End::Wrong(format!("{place}\n{error}")))?;
                let difference = Difference::between(epoch, self.seed, &place, &rows, &batches);
                if let Some(difference) = difference.expect("every type has a text") {
                    return wrong(difference.to_string());
                }
                expected = rows_of(&rows);
            }
            let sink = self.sink.rows(&view.name, epoch);
            if sink != expected {
                return wrong(format!("{place}\nsink {sink:#?}\nshould be {expected:#?}"));
            }
            self.tally.count("views compared");
            let schema = batches.first().map(|batch| batch.schema());
            let Ok(own) = engine.view_schema(&view.name) else {
                return wrong(format!("{place}\nthe engine does not know it"));
            };
            register(&context, &view.name, schema.unwrap_or(own), batches);
        }
        Ok(())
    }
}
