//! The engine's thread takes in views that come, change and go while events do.
//!
//! One definition is filled at a time, in the order of the log. What reads only rows that are kept is filled by
//! the engine itself, piece by piece between epochs; what reads events that have passed by an engine beside it
//! ([`Fill`]), whose state is taken over once both are at the same position.

use std::sync::Arc;

use millrace_engine::{Delta, EpochChanges};
use millrace_events::Position;
use tokio::sync::oneshot;

use super::definitions::{Next, Said, said};
use super::fill::{Fill, Filler, Progress};
use super::run::Worker;
use super::served::Served;
use super::split::Piece;
use crate::{Error, Result};

/// Rows kept for a view that is about to be taken over; if more come meanwhile, it is filled anew.
const TAIL_ROWS_MAX: usize = 500_000;

/// The definition that is being filled.
pub(super) struct Defining {
    name: String,
    text: String,
    /// Where it was defined.
    at: Position,
    how: How,
}

enum How {
    /// By the engine, from rows it keeps.
    Kept { progress: Arc<Progress>, rows_max: usize },
    /// From the log.
    Log { filler: Filler, tail: Option<Tail> },
}

/// What has been applied since the filled engine was asked to meet this one.
#[derive(Default)]
struct Tail {
    pieces: Vec<Piece>,
    rows: usize,
}

impl Worker {
    /// Takes in what a piece says of views.
    pub(super) fn take_in(&mut self, piece: &Piece) -> Result<()> {
        for (at, said) in said(&piece.tables) {
            // It may be read again after the views have been filled from the start of the log.
            if at <= self.definitions.as_of {
                continue;
            }
            self.definitions.as_of = at;
            match said {
                Said::Defined { name, text } => self.define(&name, text, at)?,
                Said::Dropped { name } => self.forget(&name)?,
            }
        }
        Ok(())
    }

    fn define(&mut self, name: &str, text: String, at: Position) -> Result<()> {
        let registry = &self.hub.options.registry;
        let problem = match registry.defining(&self.definitions.wanted(), name, &text) {
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(view = name, %error, "a view can't be defined");
                Some(error.to_string())
            }
        };
        self.definitions.define(name, Next { text, at, problem });
        self.give_up_fill_of(name);
        self.go_on()
    }

    /// Drops a view that nobody reads.
    fn forget(&mut self, name: &str) -> Result<()> {
        let (wanted, _) = self.hub.options.registry.extended(&self.definitions.wanted())?;
        let readers = wanted.readers(name);
        if !readers.is_empty() || self.definitions.get(name).is_none() {
            tracing::warn!(view = name, readers = readers.len(), "a view can't be dropped");
            return Ok(());
        }
        self.give_up_fill_of(name);
        if self.defining.as_ref().is_some_and(|defining| defining.name == name) {
            self.defining = None;
        }
        if self.engine.views().any(|view| view.name == name) {
            self.engine.drop_view(name)?;
        }
        self.definitions.remove(name);
        self.forget_stop(name);
        tracing::info!(view = name, "a view was dropped");
        self.serve()?;
        self.go_on()
    }

    /// What is filled from the log is not wanted any more; what the engine fills it fills to the end.
    fn give_up_fill_of(&mut self, name: &str) {
        let is_it = |defining: &mut Defining| {
            defining.name == name && matches!(defining.how, How::Log { .. })
        };
        self.defining.take_if(is_it);
        self.tell_defining();
    }

    /// Begins to fill what was defined first, if nothing is being filled.
    pub(super) fn go_on(&mut self) -> Result<()> {
        while self.defining.is_none() && !self.engine.is_filling() {
            let Some((name, next)) = self.definitions.waiting() else { break };
            match self.begin(&name, &next) {
                Ok(how) => {
                    tracing::info!(view = name, "a view is being filled");
                    self.defining = Some(Defining { name, text: next.text, at: next.at, how });
                }
                Err(error) => {
                    tracing::warn!(view = name, %error, "a view can't be filled");
                    self.definitions.fail(&name, next.at, error.to_string());
                }
            }
        }
        self.tell_defining();
        Ok(())
    }

    fn begin(&mut self, name: &str, next: &Next) -> Result<How> {
        let registry =
            self.hub.options.registry.defining(&self.definitions.live(), name, &next.text)?;
        let definition = registry.get(name)?.definition();
        let is_there = self.engine.views().any(|view| view.name == name);
        let declared = match is_there {
            true => self.engine.replace_view(definition),
            false => self.engine.create_view(definition),
        };
        let progress = Arc::new(Progress::default());
        progress.live_at(self.place.cut.position);
        match declared {
            Ok(()) => Ok(How::Kept { progress, rows_max: 0 }),
            Err(error) if error.is_history_gone() => {
                let readers = registry.readers(name);
                let names: Vec<&str> = std::iter::once(name)
                    .chain(readers.iter().map(|reader| reader.name.as_str()))
                    .collect();
                let fill = Fill::new(&registry, &self.hub, self.incarnation, &names)?;
                Ok(How::Log { filler: self.start(fill, next.at, progress)?, tail: None })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn start(&self, fill: Fill, at: Position, progress: Arc<Progress>) -> Result<Filler> {
        let inputs = self.hub.asks.lock().clone();
        let inputs =
            inputs.ok_or_else(|| Error::Stopped { reason: "the pipeline is ending".to_owned() })?;
        Ok(fill.start(Arc::clone(&self.hub), inputs, at, progress, &self.runtime))
    }

    /// Whether the engine takes rows into new views by itself, for which it needs epochs.
    pub(super) fn fills_itself(&self) -> bool {
        let is_kept = matches!(&self.defining, Some(Defining { how: How::Kept { .. }, .. }));
        is_kept || self.engine.is_filling()
    }

    /// After an epoch of the engine: whether the view it fills by itself has caught up.
    pub(super) fn settle(&mut self, changes: &EpochChanges) -> Result<()> {
        let waiting = self.engine.rows_waiting();
        if let Some(Defining { how: How::Kept { progress, rows_max }, .. }) = &mut self.defining {
            *rows_max = waiting.max(*rows_max);
            progress.rows(*rows_max - waiting, *rows_max);
        }
        if self.engine.is_filling() {
            return Ok(());
        }
        let is_kept = |defining: &mut Defining| matches!(defining.how, How::Kept { .. });
        let Some(Defining { name, text, at, .. }) = self.defining.take_if(is_kept) else {
            return self.go_on();
        };
        let failed = changes.given_up.iter().chain(&changes.stopped).find(|view| view.view == name);
        match failed {
            Some(failed) => {
                // A replaced view has gone on as it was; a new one is nothing yet.
                if self.definitions.get(&name).is_some_and(|view| view.live.is_none()) {
                    self.engine.drop_view(&name)?;
                }
                self.definitions.fail(&name, at, failed.reason.clone());
            }
            None => self.went_live(&name, text, at)?,
        }
        self.go_on()
    }

    /// The filled engine is near: what comes from here on is kept for it.
    pub(super) fn meet(&mut self, at: Position, answer: oneshot::Sender<Position>) {
        if let Some(Defining { at: own, how: How::Log { tail, .. }, .. }) = &mut self.defining
            && *own == at
        {
            *tail = Some(Tail::default());
            // A filler that has been given up does not wait any more.
            let _ = answer.send(self.place.cut.position);
        }
    }

    /// Notes a piece that has been applied.
    pub(super) fn follow(&mut self, piece: &Piece) {
        let Some(Defining { how: How::Log { filler, tail }, .. }) = &mut self.defining else {
            return;
        };
        filler.progress.live_at(piece.last);
        if let Some(kept) = tail {
            kept.rows += piece.tables.iter().map(|(_, rows)| rows.num_rows()).sum::<usize>();
            kept.pieces.push(piece.clone());
            if kept.rows > TAIL_ROWS_MAX {
                *tail = None;
            }
        }
    }

    /// The engine beside this one has come to where this one was when they agreed to meet.
    pub(super) fn filled(&mut self, at: Position, outcome: Result<Box<Fill>>) -> Result<()> {
        let is_it =
            |defining: &mut Defining| defining.at == at && matches!(defining.how, How::Log { .. });
        let Some(mut defining) = self.defining.take_if(is_it) else { return Ok(()) };
        let How::Log { tail, .. } = &mut defining.how else { return Ok(()) };
        let adopted = match (outcome, tail.take()) {
            (Ok(_), None) => {
                tracing::warn!(view = defining.name, "more came than is kept: it is filled anew");
                return self.go_on();
            }
            (Ok(fill), Some(tail)) => self.adopt(&defining, *fill, &tail),
            (Err(error), _) => Err(error),
        };
        match adopted {
            Ok(()) => self.went_live(&defining.name, defining.text, at)?,
            Err(error) => {
                tracing::warn!(view = defining.name, %error, "a view can't be filled");
                self.definitions.fail(&defining.name, at, error.to_string());
            }
        }
        self.is_changed = true;
        self.go_on()?;
        self.publish(Vec::new(), None);
        self.checkpoint()
    }

    /// Brings the filled engine to this one's position and takes its state over.
    fn adopt(&mut self, defining: &Defining, mut fill: Fill, tail: &Tail) -> Result<()> {
        let inputs: Vec<(String, Delta)> =
            tail.pieces.iter().flat_map(|piece| fill.inputs(piece)).collect();
        let now = self.engine.now().unwrap_or_else(|| (self.hub.options.clock)());
        fill.step(inputs, self.engine.cut().clone(), now)?;
        let Defining { name, text, .. } = defining;
        let registry = self.hub.options.registry.defining(&self.definitions.live(), name, text)?;
        let definition = registry.get(name)?.definition();
        self.engine.adopt_view(definition, fill.engine)?;
        Ok(())
    }

    fn went_live(&mut self, name: &str, text: String, at: Position) -> Result<()> {
        let since = self.place.cut.position;
        self.definitions.went_live(name, text, at, since);
        let (registry, _) = self.hub.options.registry.extended(&self.definitions.live())?;
        self.forget_stop(name);
        for reader in registry.readers(name) {
            self.definitions.begins_anew(&reader.name, since);
            self.forget_stop(&reader.name);
        }
        tracing::info!(view = name, position = since.0, "a view is live");
        self.should_checkpoint = true;
        self.serve()
    }

    /// A view that had stopped is another one now, or gone.
    fn forget_stop(&self, name: &str) {
        self.hub.tell(|report| report.stopped_views.retain(|stopped| stopped.view != name));
    }

    /// Serves the views that are live now, with the next publication.
    pub(super) fn serve(&mut self) -> Result<()> {
        let (registry, _) = self.hub.options.registry.extended(&self.definitions.live())?;
        let before = Arc::clone(&self.served);
        let served = Served::new(&self.hub.options, registry, &self.definitions, Some(&before));
        self.served = Arc::new(served);
        self.snapshots = self.snapshots_of(&self.served)?;
        Ok(())
    }

    /// Tells what is defined and how far it is.
    pub(super) fn tell_defining(&self) {
        let filling = self.defining.as_ref().map(|defining| {
            let progress = match &defining.how {
                How::Kept { progress, .. } => progress,
                How::Log { filler, .. } => &filler.progress,
            };
            (defining.name.clone(), Arc::clone(progress))
        });
        let definitions = self.definitions.clone();
        self.hub.tell(|report| {
            report.filling = filling;
            report.definitions = definitions;
        });
    }
}
