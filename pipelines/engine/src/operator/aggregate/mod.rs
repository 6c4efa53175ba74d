//! Group by: one row per group, kept in vectors by group id.

mod count;
mod extreme;
mod ordered;
mod sum;

pub(crate) use ordered::Pick;
pub(crate) use sum::can_sum;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, Int64Array, RecordBatch, UInt32Array};
use arrow::compute::take_arrays;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;

use super::{Change, Operator, evaluate};
use crate::checkpoint::{PieceReader, PieceWriter, SavedChange, SavedGroups};
use crate::state::{KeyTable, NONE, new_batch};
use crate::{Delta, Error, Result};

/// What is computed per group, with its argument types settled.
#[derive(Debug, Clone)]
pub(crate) enum Function {
    /// Rows in which no argument is null.
    Count,
    /// Sum in the type of the argument (a 64-bit integer, a float or a decimal), given out as `output`.
    Sum { input: DataType, output: DataType },
    /// Mean of floats or decimals.
    Average { input: DataType, output: DataType },
    /// The first or last row by some order, of which some columns are given out.
    Pick(Pick),
}

/// One function with what it reads.
#[derive(Debug, Clone)]
pub(crate) struct AggregateCall {
    pub function: Function,
    /// Columns it reads; for [`Function::Pick`] those that order, then those given out.
    pub arguments: Vec<Arc<dyn PhysicalExpr>>,
    /// Rows it looks at.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
}

/// A grouping to be made.
#[derive(Debug, Clone)]
pub(crate) struct AggregateSpec {
    /// Key columns, then results.
    pub schema: SchemaRef,
    pub keys: Vec<Arc<dyn PhysicalExpr>>,
    pub calls: Vec<AggregateCall>,
    /// For each result column, the call it comes from and which of the call's columns it is.
    pub results: Vec<(usize, usize)>,
    /// Whether no row is ever taken back.
    pub is_append_only: bool,
}

/// State of one call for all groups, in vectors by group id.
trait GroupState: Send {
    /// Makes room for ids below `groups`.
    fn grow(&mut self, groups: usize);
    /// Keeps what the groups hold now, to be compared and taken back later in the epoch.
    fn remember(&mut self, ids: &[u32]);
    /// Takes in rows: `ids[row]` is the group, weight 0 means the row is not looked at.
    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()>;
    /// Sets `changed[at]` where the group remembered at `at` now holds something else.
    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]);
    /// Result columns: first of the groups remembered at `old`, then of `new` ids as they are now.
    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>>;
    /// Forgets what was remembered of the groups `ids`; the epoch is over.
    fn settle(&mut self, ids: &[u32]);
    /// Resets a group that has died.
    fn reset(&mut self, id: u32);
    /// State of the groups as columns, for a checkpoint.
    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>>;
    /// Takes back what [`Self::save`] gave and returns how many columns it was.
    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize>;
    /// Bytes held.
    fn state_bytes(&self) -> usize;
}

fn state_of(call: &AggregateCall, append_only: bool) -> Result<Box<dyn GroupState>> {
    Ok(match &call.function {
        Function::Count => Box::new(count::Count::default()),
        Function::Sum { input, output } => sum::sum(input, output.clone()),
        Function::Average { input, output } => sum::average(input, output.clone()),
        Function::Pick(pick) => {
            let plain = match pick.arguments.as_slice() {
                [(data_type, _)] if append_only && pick.skips_nulls => {
                    extreme::extreme(data_type, pick.is_last)
                }
                _ => None,
            };
            match plain {
                Some(state) => state,
                None => Box::new(ordered::Ordered::new(pick.clone(), append_only)?),
            }
        }
    })
}

/// Keeps groups.
pub(crate) struct Aggregate {
    spec: AggregateSpec,
    groups: KeyTable,
    /// Rows of each group.
    rows: Vec<i64>,
    states: Vec<Box<dyn GroupState>>,
    /// Groups this epoch has looked at, in order, with the rows they had before.
    touched: Vec<u32>,
    rows_before: Vec<i64>,
    /// Place in `touched` by group, [`NONE`] where not touched.
    places: Vec<u32>,
    /// Groups changed and keys gone since the last checkpoint.
    dirty: Vec<u32>,
    is_dirty: Vec<bool>,
    gone: Vec<Box<[u8]>>,
    /// Set when so many keys went that the next checkpoint had better hold all groups.
    must_save_all: bool,
    has_started: bool,
}

/// Keys gone that are noted for a checkpoint, at least; beyond the number of groups all are saved instead.
const GONE_NOTED_MIN: usize = 4096;

impl Aggregate {
    pub fn new(spec: AggregateSpec) -> Result<Self> {
        let key_fields = spec.schema.fields().iter().take(spec.keys.len());
        let groups = KeyTable::new(key_fields.map(|field| field.data_type().clone()).collect())?;
        let states = spec.calls.iter().map(|call| state_of(call, spec.is_append_only));
        let states = states.collect::<Result<_>>()?;
        Ok(Self {
            spec,
            groups,
            rows: Vec::new(),
            states,
            touched: Vec::new(),
            rows_before: Vec::new(),
            places: Vec::new(),
            dirty: Vec::new(),
            is_dirty: Vec::new(),
            gone: Vec::new(),
            must_save_all: false,
            has_started: false,
        })
    }

    fn is_global(&self) -> bool {
        self.spec.keys.is_empty()
    }

    fn grow(&mut self) {
        let slots = self.groups.slots();
        if slots > self.rows.len() {
            self.rows.resize(slots, 0);
            self.places.resize(slots, NONE);
            self.is_dirty.resize(slots, false);
            self.states.iter_mut().for_each(|state| state.grow(slots));
        }
    }

    fn touch(&mut self, ids: &[u32]) {
        let first = self.touched.len();
        for id in ids {
            let place = &mut self.places[*id as usize];
            if *place == NONE {
                *place = self.touched.len() as u32;
                self.touched.push(*id);
                self.rows_before.push(self.rows[*id as usize]);
            }
        }
        let new = &self.touched[first..];
        if !new.is_empty() {
            self.states.iter_mut().for_each(|state| state.remember(new));
        }
    }

    fn update(&mut self, delta: &Delta) -> Result<()> {
        let keys = evaluate(&self.spec.keys, &delta.batch)?;
        let encoded = self.groups.encode(&keys, delta.num_rows())?;
        let ids = self.groups.insert_all(&encoded);
        self.grow();
        self.touch(&ids);
        let weights = delta.weight_values();
        match weights {
            None => ids.iter().for_each(|id| self.rows[*id as usize] += 1),
            Some(weights) => {
                ids.iter().zip(weights).for_each(|(id, weight)| self.rows[*id as usize] += weight);
            }
        }
        for (call, state) in self.spec.calls.iter().zip(&mut self.states) {
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
        let mut changed = vec![false; self.touched.len()];
        self.states.iter().for_each(|state| state.mark_changed(&self.touched, &mut changed));
        let is_row = |rows: i64| rows > 0 || self.is_global();
        let (mut died, mut born) = (Vec::new(), Vec::new());
        // Places and ids of the groups that stay: first in both lists, so that they stand in the same order.
        let (mut old, mut new) = (Vec::new(), Vec::new());
        for (at, id) in self.touched.iter().enumerate() {
            let rows = self.rows[*id as usize];
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
            self.spec.schema.fields().iter().take(self.spec.keys.len()).cloned().collect();
        Arc::new(Schema::new(fields))
    }

    /// Lets dead groups go and starts afresh for the next epoch.
    fn settle(&mut self) {
        let touched = std::mem::take(&mut self.touched);
        self.states.iter_mut().for_each(|state| state.settle(&touched));
        for id in touched {
            let slot = id as usize;
            self.places[slot] = NONE;
            if self.rows[slot] == 0 && !self.is_global() {
                if !self.must_save_all {
                    self.gone.push(self.groups.bytes(id).into());
                }
                self.groups.remove(id);
                self.states.iter_mut().for_each(|state| state.reset(id));
            } else if !self.is_dirty[slot] {
                self.is_dirty[slot] = true;
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

    /// Groups as a batch: encoded key, rows, then the state of each call.
    fn saved_batch(&self, ids: &[u32]) -> Result<RecordBatch> {
        let mut keys = BinaryBuilder::new();
        ids.iter().for_each(|id| keys.append_value(self.groups.bytes(*id)));
        let rows: Int64Array = ids.iter().map(|id| self.rows[*id as usize]).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(rows)];
        for state in &self.states {
            columns.extend(state.save(ids)?);
        }
        let fields = columns
            .iter()
            .enumerate()
            .map(|(at, column)| Field::new(format!("c{at}"), column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        new_batch(&schema, columns, ids.len())
    }

    fn load_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = batch.column(0).as_binary::<i32>();
        let rows = batch.column(1).as_primitive::<arrow::datatypes::Int64Type>();
        let ids: Vec<u32> =
            keys.iter().map(|key| self.groups.insert_bytes(key.unwrap_or_default())).collect();
        self.grow();
        for (row, id) in ids.iter().enumerate() {
            self.rows[*id as usize] = rows.value(row);
        }
        let mut columns = &batch.columns()[2..];
        for state in &mut self.states {
            let taken = state.load(&ids, columns)?;
            columns = &columns[taken..];
        }
        Ok(())
    }
}

impl Operator for Aggregate {
    fn class(&self) -> &'static str {
        let is_pick = |call: &AggregateCall| matches!(call.function, Function::Pick(_));
        match self.spec.calls.iter().any(is_pick) {
            true if self.spec.is_append_only => "ordered aggregate, append-only",
            true => "ordered aggregate",
            false if self.spec.calls.is_empty() => "zero-crossing",
            false => "additive aggregate",
        }
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        if self.is_global() && !self.has_started {
            let empty = self.groups.encode(&[], 1)?;
            let ids = self.groups.insert_all(&empty);
            self.grow();
            self.touch(&ids);
        }
        inputs[0].iter().try_for_each(|delta| self.update(delta))?;
        self.emit()
    }

    fn state_rows(&self) -> usize {
        self.groups.len()
    }

    fn state_bytes(&self) -> usize {
        let states: usize = self.states.iter().map(|state| state.state_bytes()).sum();
        self.groups.state_bytes() + self.rows.capacity() * 8 + self.places.capacity() * 5 + states
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        let gone = std::mem::take(&mut self.gone);
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.iter().for_each(|id| self.is_dirty[*id as usize] = false);
        dirty.retain(|id| self.groups.find_bytes(self.groups.bytes(*id)) == *id);
        dirty.sort_unstable();
        dirty.dedup();
        let changed = (!std::mem::take(&mut self.must_save_all))
            .then_some(SavedChange { gone, groups: dirty.len() });
        pieces.put_groups(self.groups.len(), changed, |only_changed| {
            self.saved_batch(
                if only_changed { dirty.clone() } else { self.groups.ids() }.as_slice(),
            )
        })
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        let saved = pieces.groups(|keys| self.groups.decode(keys))?;
        for SavedGroups { gone, batch } in saved {
            for key in gone {
                let id = self.groups.find_bytes(&key);
                if id != NONE {
                    self.groups.remove(id);
                    self.rows[id as usize] = 0;
                    self.states.iter_mut().for_each(|state| state.reset(id));
                }
            }
            self.load_batch(&batch)?;
        }
        self.has_started = true;
        Ok(())
    }
}

/// `old` of what was remembered, then `new` of what is.
fn old_then_new<T: Copy>(remembered: &[T], current: &[T], old: &[u32], new: &[u32]) -> Vec<T> {
    let old = old.iter().map(|at| remembered[*at as usize]);
    old.chain(new.iter().map(|id| current[*id as usize])).collect()
}
