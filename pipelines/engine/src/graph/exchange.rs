//! Rows on their way to the workers that need them.

use std::fmt::Write;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};

use super::NodeId;
use super::placement::{Keys, Need, Owner};
use crate::consolidation::DistinctOn;
use crate::operator::evaluate;
use crate::state::{RowEncoding, columns_at, take_rows};
use crate::{Delta, Result};

/// The worker of a row by the hash of its key. Hash tables use other bits of it.
pub(crate) fn worker_of(hash: u64, workers: usize) -> usize {
    (hash >> 40) as usize % workers
}

/// Where rows go.
#[derive(Debug, Clone, Copy)]
enum Route {
    First,
    Everywhere,
    ByKey,
}

/// What one node gives, sorted by the worker that needs it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub producer: NodeId,
    /// The first node that needs it.
    pub consumer: NodeId,
    route: Route,
    keys: Keys,
    encoding: RowEncoding,
    /// Tells exchanges of one producer apart.
    definition: String,
}

/// What one worker sends to each worker.
#[derive(Debug)]
pub(super) struct Parcel {
    pub parts: Vec<Vec<Delta>>,
    pub known: DistinctOn,
}

impl Exchange {
    /// The exchange that gives `consumer` what it needs of `producer`, whose rows are of `schema`; none when
    /// they stay.
    pub fn new(
        producer: NodeId,
        consumer: NodeId,
        schema: &arrow::datatypes::Schema,
        need: &Need,
    ) -> Result<Option<Self>> {
        let (route, keys) = match need {
            Need::Stay => return Ok(None),
            Need::First => (Route::First, Keys::new()),
            Need::Everywhere => (Route::Everywhere, Keys::new()),
            Need::ByKey(keys) => (Route::ByKey, keys.clone()),
        };
        let types = keys.iter().map(|key| key.data_type(schema));
        let encoding = RowEncoding::new(types.collect::<Result<Vec<_>, _>>()?)?;
        let mut definition = format!("{route:?};");
        for key in &keys {
            write!(definition, "{key:?};").expect("a string takes any text");
        }
        Ok(Some(Self { producer, consumer, route, keys, encoding, definition }))
    }

    pub fn is_same(&self, other: &Self) -> bool {
        self.producer == other.producer && self.definition == other.definition
    }

    /// Sorts rows by the worker that needs them.
    pub fn sort(&self, deltas: &[Delta], workers: usize) -> Result<Vec<Vec<Delta>>> {
        let mut parts: Vec<Vec<Delta>> = vec![Vec::new(); workers];
        for delta in deltas.iter().filter(|delta| !delta.is_empty()) {
            match self.route {
                Route::First => parts[0].push(delta.clone()),
                Route::Everywhere => parts.iter_mut().for_each(|part| part.push(delta.clone())),
                Route::ByKey => self.sort_by_key(delta, &mut parts)?,
            }
        }
        Ok(parts)
    }

    fn sort_by_key(&self, delta: &Delta, parts: &mut [Vec<Delta>]) -> Result<()> {
        let workers = parts.len();
        let columns = evaluate(&self.keys, &delta.batch)?;
        let hashes = self.encoding.encode(&columns, delta.num_rows())?.hashes;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); workers];
        for (row, hash) in hashes.iter().enumerate() {
            rows[worker_of(*hash, workers)].push(row as u32);
        }
        for (part, rows) in parts.iter_mut().zip(rows) {
            if rows.len() == delta.num_rows() {
                part.push(delta.clone());
            } else if !rows.is_empty() {
                part.push(take(delta, rows)?);
            }
        }
        Ok(())
    }
}

fn take(delta: &Delta, rows: Vec<u32>) -> Result<Delta> {
    let weights = delta.weight_values();
    let weights: Option<Int64Array> =
        weights.map(|weights| rows.iter().map(|row| weights[*row as usize]).collect());
    Ok(Delta { batch: take_rows(&delta.batch, rows)?, weights })
}

/// Runs of rows of about equal length, one per worker.
pub(super) fn slice(deltas: Vec<Delta>, workers: usize) -> Vec<Vec<Delta>> {
    let mut parts: Vec<Vec<Delta>> = vec![Vec::new(); workers];
    for delta in deltas {
        let rows = delta.num_rows();
        for (worker, part) in parts.iter_mut().enumerate() {
            let (start, end) = (rows * worker / workers, rows * (worker + 1) / workers);
            if start < end {
                let weights = delta.weights.as_ref();
                part.push(Delta {
                    batch: delta.batch.slice(start, end - start),
                    weights: weights.map(|weights| weights.slice(start, end - start)),
                });
            }
        }
    }
    parts
}

/// The part of a node's saved state that one worker takes, when there are other workers than there were.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    pub worker: usize,
    pub workers: usize,
    pub owner: Owner,
    /// The worker that held the state before.
    pub holder: usize,
}

impl Share {
    /// Which rows of state are this worker's: rows of input `input`, or groups, with these key columns.
    pub fn mine(&self, input: usize, key: &[ArrayRef], batch: &RecordBatch) -> Result<Vec<bool>> {
        let rows = batch.num_rows();
        let columns = match &self.owner {
            Owner::First => return Ok(vec![self.worker == 0; rows]),
            // Every worker held all of them.
            Owner::Beside(_) if input > 0 => return Ok(vec![self.holder == 0; rows]),
            Owner::Beside(places) => columns_at(batch, places),
            Owner::Any => key.to_vec(),
            Owner::ByKey(places) => places.iter().map(|at| ArrayRef::clone(&key[*at])).collect(),
        };
        let types = columns.iter().map(|column| column.data_type().clone()).collect();
        let hashes = RowEncoding::new(types)?.encode(&columns, rows)?.hashes;
        Ok(hashes.iter().map(|hash| worker_of(*hash, self.workers) == self.worker).collect())
    }
}
