//! Group by: one row per group, kept in vectors by group id.

mod count;
mod extreme;
mod group;
mod moments;
mod ordered;
mod partition;
mod persist;
mod spec;
mod sum;

pub(crate) use moments::{Moments, Statistic};
pub(crate) use ordered::Pick;
pub(crate) use partition::{Partition, PartitionArgument};
pub(crate) use spec::{AggregateCall, AggregateSpec, Function};
pub(crate) use sum::{average_input, can_sum};

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{Schema, SchemaRef};

use self::group::GroupState;
use super::{Change, Operator, evaluate};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{KeyTable, NONE, new_batch};
use crate::{Delta, Error, Result};

/// What is known of a group besides its states.
#[derive(Debug, Clone, Copy)]
struct Standing {
    rows: i64,
    /// Place in `touched`, [`NONE`] where not touched.
    place: u32,
    /// Whether it has changed since the last checkpoint.
    is_dirty: bool,
}

impl Standing {
    const NEW: Self = Self { rows: 0, place: NONE, is_dirty: false };
}

/// Keeps groups.
pub(crate) struct Aggregate {
    spec: AggregateSpec,
    groups: KeyTable,
    standing: Vec<Standing>,
    states: Vec<Box<dyn GroupState>>,
    /// Groups this epoch has looked at, in order, with the rows they had before.
    touched: Vec<u32>,
    rows_before: Vec<i64>,
    /// Groups changed and keys gone since the last checkpoint.
    dirty: Vec<u32>,
    gone: Vec<Box<[u8]>>,
    /// Set when so many keys went that the next checkpoint had better hold all groups.
    must_save_all: bool,
    has_started: bool,
}

/// Keys gone that are noted for a checkpoint, at least; beyond the number of groups all are saved instead.
const GONE_NOTED_MIN: usize = 4096;

impl Aggregate {
    pub fn new(spec: AggregateSpec) -> Result<Self> {
        let key_fields = spec.schema.fields().iter().take(spec.key_width());
        let groups = KeyTable::new(key_fields.map(|field| field.data_type().clone()).collect())?;
        let states = spec.calls.iter().map(|call| group::state_of(call, spec.is_append_only));
        let states = states.collect::<Result<_>>()?;
        Ok(Self {
            spec,
            groups,
            standing: Vec::new(),
            states,
            touched: Vec::new(),
            rows_before: Vec::new(),
            dirty: Vec::new(),
            gone: Vec::new(),
            must_save_all: false,
            has_started: false,
        })
    }

    fn is_global(&self) -> bool {
        self.spec.key_width() == 0
    }

    fn grow(&mut self) {
        let slots = self.groups.slots();
        if slots > self.standing.len() {
            self.standing.resize(slots, Standing::NEW);
            self.states.iter_mut().for_each(|state| state.grow(slots));
        }
    }

    fn touch(&mut self, ids: &[u32]) {
        let first = self.touched.len();
        for id in ids {
            let Standing { rows, place, .. } = &mut self.standing[*id as usize];
            if *place == NONE {
                *place = self.touched.len() as u32;
                self.touched.push(*id);
                self.rows_before.push(*rows);
            }
        }
        let new = &self.touched[first..];
        if !new.is_empty() {
            self.states.iter_mut().for_each(|state| state.remember(new));
        }
    }

    /// The group of each row, made where it is new.
    fn group_ids(&mut self, input: usize, delta: &Delta) -> Result<Vec<u32>> {
        let rows = delta.num_rows();
        // Without keys there is one group: it is looked up once.
        let looked_up = if self.is_global() { rows.min(1) } else { rows };
        let keys = evaluate(&self.spec.keys[input], &delta.batch)?;
        let mut ids = self.groups.insert_all(&self.groups.encode(&keys, looked_up)?);
        self.grow();
        self.touch(&ids);
        if let Some(id) = ids.first().copied() {
            ids.resize(rows, id);
        }
        Ok(ids)
    }

    fn update(&mut self, input: usize, delta: &Delta) -> Result<()> {
        let ids = self.group_ids(input, delta)?;
        let weights = delta.weight_values();
        match weights {
            _ if input > 0 => {}
            None => ids.iter().for_each(|id| self.standing[*id as usize].rows += 1),
            Some(weights) => {
                let rows = ids.iter().zip(weights);
                rows.for_each(|(id, weight)| self.standing[*id as usize].rows += weight);
            }
        }
        let calls = self.spec.calls.iter().zip(&mut self.states);
        for (call, state) in calls.filter(|(call, _)| call.input == input) {
            let arguments = evaluate(&call.arguments, &delta.batch)?;
            match &call.filter {
                None => state.update(&arguments, &ids, weights)?,
                Some(filter) => {
                    let verdict = filter.evaluate(&delta.batch)?.into_array(delta.num_rows())?;
                    let verdict = verdict.as_boolean();
                    let passes = |row: usize| !verdict.is_null(row) && verdict.value(row);
                    let weight = |row: usize| if passes(row) { delta.weight(row) } else { 0 };
                    let filtered: Vec<i64> = (0..delta.num_rows()).map(weight).collect();
                    state.update(&arguments, &ids, Some(&filtered))?;
                }
            }
        }
        Ok(())
    }

    /// The change of the output, from what was remembered to what is now.
    fn emit(&mut self) -> Result<Vec<Delta>> {
        self.states.iter_mut().try_for_each(|state| state.finish(&self.touched))?;
        let mut changed = vec![false; self.touched.len()];
        self.states.iter().for_each(|state| state.mark_changed(&self.touched, &mut changed));
        let is_row = |rows: i64| rows > 0 || self.is_global();
        let (mut died, mut born) = (Vec::new(), Vec::new());
        // Places and ids of the groups that stay: first in both lists, so that they stand in the same order.
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for (at, id) in self.touched.iter().enumerate() {
            let rows = self.standing[*id as usize].rows;
            if rows < 0 {
                let key = new_batch(&self.key_schema(), self.groups.columns(&[*id])?, 1)?;
                let row = super::output::show_row(&key, 0);
                return Err(Error::MissingRow { place: "group".to_owned(), row });
            }
            let was_row = is_row(self.rows_before[at]) && self.has_started;
            match (was_row, is_row(rows)) {
                (true, true) if changed[at] => {
                    old.push(at as u32);
                    new.push(*id);
                }
                (true, false) => died.push(at as u32),
                (false, true) => born.push(*id),
                (true, true) | (false, false) => {}
            }
        }
        let staying = old.len();
        old.append(&mut died);
        new.append(&mut born);
        let output = if old.is_empty() && new.is_empty() {
            Vec::new()
        } else {
            vec![self.rows_of(&old, &new, staying)?]
        };
        self.settle();
        Ok(output)
    }

    /// Result rows: what the groups remembered at `old` were goes, what the `new` groups are comes. The first
    /// `staying` of both are the same groups.
    fn rows_of(&self, old: &[u32], new: &[u32], staying: usize) -> Result<Delta> {
        let mut columns = self.key_columns(old, new, staying)?;
        let outputs =
            self.states.iter().map(|state| state.output(old, new)).collect::<Result<Vec<_>>>()?;
        columns.extend(
            self.spec.results.iter().map(|(call, column)| Arc::clone(&outputs[*call][*column])),
        );
        let batch = new_batch(&self.spec.schema, columns, old.len() + new.len())?;
        if old.is_empty() {
            return Ok(Delta::inserts(batch));
        }
        let weights =
            std::iter::repeat_n(-1, old.len()).chain(std::iter::repeat_n(1, new.len())).collect();
        Ok(Delta::weighted(batch, weights))
    }

    /// Keys of the groups remembered at `old`, then of `new` groups. Those that stay are read once.
    fn key_columns(&self, old: &[u32], new: &[u32], staying: usize) -> Result<Vec<ArrayRef>> {
        if old.is_empty() {
            return self.groups.columns(new);
        }
        let mut ids: Vec<u32> = old.iter().map(|at| self.touched[*at as usize]).collect();
        ids.extend(&new[staying..]);
        let places: Vec<u32> = (0..old.len() as u32)
            .chain(0..staying as u32)
            .chain(old.len() as u32..ids.len() as u32)
            .collect();
        Ok(take_arrays(&self.groups.columns(&ids)?, &UInt32Array::from(places), None)?)
    }

    fn key_schema(&self) -> SchemaRef {
        let fields: Vec<_> =
            self.spec.schema.fields().iter().take(self.spec.key_width()).cloned().collect();
        Arc::new(Schema::new(fields))
    }

    /// Lets dead groups go and starts afresh for the next epoch.
    fn settle(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        self.states.iter_mut().for_each(|state| state.settle(&touched));
        for id in touched {
            let is_global = self.is_global();
            let standing = &mut self.standing[id as usize];
            standing.place = NONE;
            if standing.rows == 0 && !is_global {
                if !self.must_save_all {
                    self.gone.push(self.groups.bytes(id).into());
                }
                self.groups.remove(id);
                self.states.iter_mut().for_each(|state| state.reset(id));
            } else if !std::mem::replace(&mut standing.is_dirty, true) {
                self.dirty.push(id);
            }
        }
        if self.gone.len() > self.groups.len().max(GONE_NOTED_MIN) {
            self.must_save_all = true;
            self.gone = Vec::new();
        }
        self.rows_before.clear();
        self.has_started = true;
    }
}

impl Operator for Aggregate {
    fn class(&self) -> &'static str {
        let has =
            |kind: fn(&Function) -> bool| self.spec.calls.iter().any(|call| kind(&call.function));
        match self.spec.is_append_only {
            _ if self.spec.calls.is_empty() => "zero-crossing",
            _ if has(|function| matches!(function, Function::Partition(_))) => "partition",
            _ if !has(|function| matches!(function, Function::Pick(_))) => "additive aggregate",
            true => "ordered aggregate, append-only",
            false => "ordered aggregate",
        }
    }

    fn depends_on_order(&self) -> bool {
        self.spec.calls.iter().any(|call| match &call.function {
            Function::Sum { input, .. } | Function::Average { input, .. } => input.is_floating(),
            _ => false,
        })
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        if self.is_global() && !self.has_started {
            let empty = self.groups.encode(&[], 1)?;
            let ids = self.groups.insert_all(&empty);
            self.grow();
            self.touch(&ids);
        }
        for (input, change) in inputs.iter().enumerate() {
            change.iter().try_for_each(|delta| self.update(input, delta))?;
        }
        self.emit()
    }

    fn state_rows(&self) -> usize {
        self.groups.len()
    }

    fn state_bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|state| state.state_bytes()).sum();
        self.groups.state_bytes() + self.standing.capacity() * size_of::<Standing>() + states
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        self.save_groups(pieces)
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        self.load_groups(pieces)
    }
}
