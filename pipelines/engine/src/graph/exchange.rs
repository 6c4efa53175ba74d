//! Rows on their way to the workers that need them.

use std::fmt::Write;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use datafusion::common::hash_utils::{RandomState, create_hashes};

use super::NodeId;
use super::placement::{Keys, Need, Owner};
use crate::consolidation::DistinctOn;
use crate::operator::evaluate;
use crate::state::{RowEncoding, columns_at, take_rows};
use crate::{Delta, Result};

/// Tells which worker has a key. Never leaves the process: the shares of a checkpoint follow from its keys.
#[derive(Debug)]
enum Ownership {
    /// By the values of the columns.
    Values,
    /// By the rows as the operators write them, where values that differ may be one key, such as the zeros of
    /// a float.
    Rows(RowEncoding),
}

impl Ownership {
    fn new(types: Vec<DataType>) -> Result<Self> {
        let is_plain = |data_type: &DataType| {
            let is_number = data_type.is_primitive() && !data_type.is_floating();
            is_number || matches!(data_type, DataType::Utf8 | DataType::Boolean)
        };
        Ok(match types.iter().all(is_plain) {
            true => Self::Values,
            false => Self::Rows(RowEncoding::new(types)?),
        })
    }

    /// The worker of each key.
    fn workers(&self, keys: &[ArrayRef], rows: usize, workers: usize) -> Result<Vec<usize>> {
        let mut hashes = vec![0; rows];
        match self {
            Self::Values => {
                create_hashes(keys, &RandomState::with_seed(0), &mut hashes)?;
            }
            Self::Rows(encoding) => hashes = encoding.encode(keys, rows)?.hashes,
        }
        // The operators' tables use the lowest and the highest bits.
        Ok(hashes.into_iter().map(|hash| (hash >> 40) as usize % workers).collect())
    }
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
    ownership: Ownership,
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
        schema: &Schema,
        need: &Need,
    ) -> Result<Option<Self>> {
        let (route, keys) = match need {
            Need::Stay => return Ok(None),
            Need::First => (Route::First, Keys::new()),
            Need::Everywhere => (Route::Everywhere, Keys::new()),
            Need::ByKey(keys) => (Route::ByKey, keys.clone()),
        };
        let types = keys.iter().map(|key| key.data_type(schema));
        let ownership = Ownership::new(types.collect::<Result<_, _>>()?)?;
        let mut definition = format!("{route:?};");
        for key in &keys {
            write!(definition, "{key:?};").expect("a string takes any text");
        }
        Ok(Some(Self { producer, consumer, route, keys, ownership, definition }))
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
        let owners = self.ownership.workers(&columns, delta.num_rows(), workers)?;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); workers];
        for (row, owner) in owners.into_iter().enumerate() {
            rows[owner].push(row as u32);
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
        let owners = Ownership::new(types)?.workers(&columns, rows, self.workers)?;
        Ok(owners.into_iter().map(|owner| owner == self.worker).collect())
    }
}
