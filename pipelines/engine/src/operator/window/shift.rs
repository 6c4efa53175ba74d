//! `lag` and `lead`: a row that comes or goes changes only its neighbours.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, UInt32Array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::take;
use arrow::datatypes::SchemaRef;
use datafusion::common::ScalarValue;
use datafusion::physical_expr::PhysicalExpr;

use crate::checkpoint::{PieceReader, PieceWriter};
use crate::operator::sorted::{Incoming, PIECE_ROWS, Place, SortedRows, SortedSpec};
use crate::operator::{Change, Operator, evaluate};
use crate::state::{EntryId, NONE, concat, new_batch};
use crate::{Delta, Result};

/// One `lag` or `lead`.
#[derive(Debug, Clone)]
pub(crate) struct ShiftCall {
    pub value: Arc<dyn PhysicalExpr>,
    /// How many rows before the row the value is taken from; behind it when negative.
    pub offset: i64,
    /// What is given where there is no such row.
    pub default: ScalarValue,
}

/// Calls over the rows of each partition in their order.
#[derive(Debug, Clone)]
pub(crate) struct ShiftSpec {
    /// Columns of a row, then one per call.
    pub schema: SchemaRef,
    pub sorted: SortedSpec,
    pub calls: Vec<ShiftCall>,
}

/// Keeps the rows of each partition in order, and for each row those its values are taken from.
#[derive(Debug)]
pub(crate) struct Shift {
    spec: ShiftSpec,
    sorted: SortedRows,
    /// For each entry and call the entry whose value is given out, or [`NONE`].
    sources: Vec<EntryId>,
    /// Whether an entry came in this epoch, so that nothing was given out for it.
    is_new: Vec<bool>,
}

/// Rows that are given out or taken back, with the sources of each.
#[derive(Default)]
struct Given {
    entries: Vec<EntryId>,
    sources: Vec<EntryId>,
}

impl Shift {
    pub fn new(spec: ShiftSpec) -> Result<Self> {
        Ok(Self {
            sorted: SortedRows::new(spec.sorted.clone())?,
            spec,
            sources: Vec::new(),
            is_new: Vec::new(),
        })
    }

    fn sources_of(&self, entry: EntryId) -> &[EntryId] {
        let calls = self.spec.calls.len();
        &self.sources[entry as usize * calls..(entry as usize + 1) * calls]
    }

    /// The greatest distance of a row to one whose value it takes: before it, and behind it.
    fn reach(&self) -> (usize, usize) {
        let reach = |sign: i64| {
            self.spec.calls.iter().map(|call| (call.offset * sign).max(0)).max().unwrap_or(0)
                as usize
        };
        (reach(1), reach(-1))
    }

    /// Entries whose sources may have changed where a row with that key came or went.
    fn near(&self, group: u32, key: &[u8], near: &mut Vec<(u32, EntryId)>) {
        let (before, behind) = self.reach();
        let (list, place) = (self.sorted.list(group), self.sorted.find(group, key));
        near.extend(list.before(place).take(behind).map(|entry| (group, entry)));
        let same = list.from(place).take_while(|entry| self.sorted.key(*entry) == key).count();
        near.extend(list.from(place).take(same + before).map(|entry| (group, entry)));
    }

    /// Finds the sources of an entry as its neighbours stand now.
    fn find_sources(&self, group: u32, entry: EntryId) -> impl Iterator<Item = EntryId> {
        let list = self.sorted.list(group);
        let (block, first) = self.sorted.find(group, self.sorted.key(entry));
        let mut place: Place = (block, first);
        // Rows equal in all columns stand side by side.
        let ahead = list.from(place).take_while(|other| *other != entry).count();
        if ahead > 0 {
            place = list.place_of(list.count_before(place) + ahead);
        }
        self.spec.calls.iter().map(move |call| {
            let distance = call.offset.unsigned_abs() as usize;
            let source = match call.offset {
                1.. => list.before(place).nth(distance - 1),
                _ => list.from(place).nth(distance),
            };
            source.unwrap_or(NONE)
        })
    }

    /// Brings the sources of entries near a change up to date and tells which rows change.
    fn update(&mut self, near: &[(u32, EntryId)], going: &mut Given, coming: &mut Given) {
        let calls = self.spec.calls.len();
        for (group, entry) in near {
            let sources: Vec<EntryId> = self.find_sources(*group, *entry).collect();
            let is_new = self.is_new[*entry as usize];
            if !is_new && self.sources_of(*entry) == sources {
                continue;
            }
            if !is_new {
                going.push(*entry, self.sources_of(*entry));
            }
            coming.push(*entry, &sources);
            let start = *entry as usize * calls;
            self.sources[start..start + calls].copy_from_slice(&sources);
        }
    }

    /// Rows with the values of their sources.
    fn rows_of(&self, given: &Given) -> Result<Vec<ArrayRef>> {
        let mut columns = self.sorted.gather(&given.entries)?;
        let calls = self.spec.calls.len();
        for (at, call) in self.spec.calls.iter().enumerate() {
            let sources = || given.sources.iter().skip(at).step_by(calls);
            let present: Vec<EntryId> = sources().copied().filter(|entry| *entry != NONE).collect();
            let mut next = 0;
            let places = sources().map(|entry| {
                (*entry != NONE).then(|| {
                    next += 1;
                    next - 1
                })
            });
            let places: UInt32Array = places.collect();
            let rows = self.sorted.gather(&present)?;
            let rows = new_batch(&self.spec.sorted.schema, rows, present.len())?;
            let values = evaluate(std::slice::from_ref(&call.value), &rows)?.swap_remove(0);
            let mut column = take(&values, &places, None)?;
            if !call.default.is_null() {
                let is_there: BooleanArray = sources().map(|entry| Some(*entry != NONE)).collect();
                column = zip(&is_there, &column, &call.default.to_scalar()?)?;
            }
            columns.push(column);
        }
        Ok(columns)
    }

    /// Entries near rows of a change, each once.
    fn neighbours(
        &self,
        incoming: &Incoming,
        rows: impl Iterator<Item = u32>,
    ) -> Vec<(u32, EntryId)> {
        let mut near = Vec::new();
        for row in rows {
            self.near(incoming.groups[row as usize], incoming.keys.get(row), &mut near);
        }
        near.sort_unstable();
        near.dedup();
        near
    }
}

impl Given {
    fn push(&mut self, entry: EntryId, sources: &[EntryId]) {
        self.entries.push(entry);
        self.sources.extend_from_slice(sources);
    }
}

impl Operator for Shift {
    fn class(&self) -> &'static str {
        "ordered"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        if inputs[0].is_empty() {
            return Ok(Vec::new());
        }
        let delta = concat(&self.spec.sorted.schema, inputs[0].to_vec())?;
        let incoming = self.sorted.read(&delta.batch)?;
        let exchange = self.sorted.exchange(&delta, &delta.batch, &incoming)?;
        self.is_new.resize(self.sorted.entry_slots(), false);
        self.sources.resize(self.sorted.entry_slots() * self.spec.calls.len(), NONE);
        exchange.came.iter().for_each(|entry| self.is_new[*entry as usize] = true);
        let (mut given, mut coming) = (Given::default(), Given::default());
        for entry in exchange.gone.iter().filter(|entry| !self.is_new[**entry as usize]) {
            given.push(*entry, self.sources_of(*entry));
        }
        let rows = exchange.coming.iter().chain(&exchange.going).copied();
        self.update(&self.neighbours(&incoming, rows), &mut given, &mut coming);
        exchange.came.iter().for_each(|entry| self.is_new[*entry as usize] = false);
        let mut weights = vec![-1; given.entries.len()];
        weights.resize(given.entries.len() + coming.entries.len(), 1);
        given.entries.append(&mut coming.entries);
        given.sources.append(&mut coming.sources);
        let mut output = Vec::new();
        if !weights.is_empty() {
            let batch = new_batch(&self.spec.schema, self.rows_of(&given)?, weights.len())?;
            output.push(match weights[0] {
                1 => Delta::inserts(batch),
                _ => Delta::weighted(batch, weights),
            });
        }
        let mut touched = incoming.groups;
        touched.sort_unstable();
        touched.dedup();
        self.sorted.settle(&exchange.gone, &touched)?;
        Ok(output)
    }

    fn rows(&self) -> Option<Result<Vec<Delta>>> {
        let groups = self.sorted.groups();
        let entries = groups.iter().flat_map(|group| self.sorted.list(*group).iter());
        let entries: Vec<EntryId> = entries.collect();
        let piece = |entries: &[EntryId]| {
            let mut given = Given::default();
            entries.iter().for_each(|entry| given.push(*entry, self.sources_of(*entry)));
            let rows = self.rows_of(&given)?;
            Ok(Delta::inserts(new_batch(&self.spec.schema, rows, entries.len())?))
        };
        Some(entries.chunks(PIECE_ROWS).map(piece).collect())
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn state_rows(&self) -> usize {
        self.sorted.len()
    }

    fn state_bytes(&self) -> usize {
        self.sorted.state_bytes()
            + self.sources.capacity() * size_of::<EntryId>()
            + self.is_new.capacity()
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        self.sorted.save(pieces)
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        self.sorted.load(pieces)?;
        let calls = self.spec.calls.len();
        self.sources.resize(self.sorted.entry_slots() * calls, NONE);
        for group in self.sorted.groups() {
            let entries: Vec<EntryId> = self.sorted.list(group).iter().collect();
            for (at, entry) in entries.iter().enumerate() {
                for (call, ShiftCall { offset, .. }) in self.spec.calls.iter().enumerate() {
                    let source = usize::try_from(at as i64 - offset).ok();
                    let source = source.and_then(|source| entries.get(source));
                    self.sources[*entry as usize * calls + call] = source.copied().unwrap_or(NONE);
                }
            }
        }
        Ok(())
    }
}
