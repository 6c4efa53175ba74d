//! Where epochs of events come from, and how a place in them is kept with the engine's state.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use millrace_engine::Cut as EngineCut;
use millrace_events::{Lsn, Position};
use millrace_source::{Cut, SourceEpoch};

use crate::Result;

/// Epochs in order of position, without gaps.
pub trait EpochFeed: Send {
    /// The next epoch; waits while there is none. [`crate::Error::PastChanged`] when epochs before it
    /// would be others today: the views then start over.
    fn next_epoch(&mut self) -> BoxFuture<'_, Result<SourceEpoch>>;
    /// The last position known to be in the log.
    fn log_end(&self) -> Position;
}

/// What a feed is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be applied to the views: dead letters are kept, the second copy is written.
    Apply,
    /// To be read once more without any effect, from the second copy where there is one.
    Verify,
}

/// Opens feeds.
pub trait OpenFeed: Send + Sync {
    /// A feed whose first epoch begins behind `start`; fails as [`EpochFeed::next_epoch`].
    fn open(&self, start: Cut, purpose: Purpose) -> BoxFuture<'_, Result<Box<dyn EpochFeed>>>;
}

/// A place in the feed and what was known there; kept with the engine's state, but for the frontier:
/// that is the relay's to tell after a restart, since the database may be in another life by then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub cut: Cut,
    pub frontier: Option<(Lsn, Position)>,
    pub as_of: Option<DateTime<Utc>>,
}

const EPOCH: &str = "epoch";
const POSITION: &str = "position";
const APPLIED: &str = "applied";
const DEAD_LETTERED: &str = "dead_lettered";
const INCARNATION: &str = "incarnation";
const AS_OF: &str = "as_of_us";
/// Offsets are named `offset/<topic>/<partition>`.
const OFFSET: &str = "offset/";

impl Place {
    pub fn to_engine(&self) -> EngineCut {
        let mut engine = EngineCut::new();
        engine.set(EPOCH, self.cut.epoch);
        engine.set(POSITION, self.cut.position.0);
        engine.set(APPLIED, self.cut.applied);
        engine.set(DEAD_LETTERED, self.cut.dead_lettered);
        engine.set(INCARNATION, u64::from(self.cut.incarnation));
        if let Some(as_of) = self.as_of {
            engine.set(AS_OF, u64::try_from(as_of.timestamp_micros()).unwrap_or_default());
        }
        for (topic, offsets) in &self.cut.offsets {
            for (partition, offset) in offsets.iter().enumerate() {
                let offset = u64::try_from(*offset).unwrap_or_default();
                engine.set(format!("{OFFSET}{topic}/{partition}"), offset);
            }
        }
        engine
    }

    pub fn from_engine(engine: &EngineCut) -> Self {
        let number = |name: &str| engine.get(name).unwrap_or_default();
        let mut cut = Cut {
            epoch: number(EPOCH),
            position: Position(number(POSITION)),
            applied: number(APPLIED),
            dead_lettered: number(DEAD_LETTERED),
            incarnation: u32::try_from(number(INCARNATION)).unwrap_or_default(),
            ..Cut::default()
        };
        for (name, offset) in engine.iter() {
            let place = name.strip_prefix(OFFSET).and_then(|place| place.rsplit_once('/'));
            let Some((topic, partition)) = place else { continue };
            let Ok(partition) = partition.parse::<usize>() else { continue };
            let offsets = cut.offsets.entry(topic.to_owned()).or_default();
            if offsets.len() <= partition {
                offsets.resize(partition + 1, 0);
            }
            offsets[partition] = i64::try_from(offset).unwrap_or_default();
        }
        let as_of = engine
            .get(AS_OF)
            .and_then(|at| DateTime::from_timestamp_micros(i64::try_from(at).ok()?));
        Self { cut, frontier: None, as_of }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_engines_cut() {
        let place = Place {
            cut: Cut {
                epoch: 4,
                position: Position(90),
                applied: 88,
                dead_lettered: 2,
                incarnation: 3,
                offsets: [("a.b/c".to_owned(), (0..12).collect()), ("d".to_owned(), vec![7])]
                    .into(),
            },
            frontier: None,
            as_of: DateTime::from_timestamp_micros(1_700_000_000_123_456),
        };
        assert_eq!(Place::from_engine(&place.to_engine()), place);
        assert_eq!(Place::from_engine(&EngineCut::new()), Place::default());
    }
}
