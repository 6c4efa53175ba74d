//! Totals so far: `sum`, `count`, `min`, `max` and `row_number` from a partition's first row to the current one.
//!
//! A row that comes or goes changes the totals behind it only, and these only until one is what it was before.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, SchemaRef, UInt64Type};
use datafusion::physical_expr::PhysicalExpr;

use crate::checkpoint::{PieceReader, PieceWriter};
use crate::operator::sorted::{Incoming, PIECE_ROWS, Place, SortedRows, SortedSpec};
use crate::operator::{Change, Operator, evaluate};
use crate::state::{EntryId, concat, new_batch};
use crate::{Delta, Result};

/// Stands for null among totals. No decimal of 38 digits and no smaller number is it.
const NULL: i128 = i128::MIN;

/// Rows that are brought up to date behind the last one that came or went, to begin with.
const ROWS_BEHIND: usize = 64;

/// How a total takes in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Total {
    Sum,
    Count,
    Min,
    Max,
}

/// One total.
#[derive(Debug, Clone)]
pub(crate) struct TotalCall {
    pub total: Total,
    /// What is totalled; without, all rows count.
    pub value: Option<Arc<dyn PhysicalExpr>>,
    /// Rows for which this is not true are passed over.
    pub filter: Option<Arc<dyn PhysicalExpr>>,
    /// Whether rows equal in the order have one total together, as with `range` and `groups`.
    pub is_of_peers: bool,
}

/// Totals over the rows of each partition in their order.
#[derive(Debug, Clone)]
pub(crate) struct RunningSpec {
    /// Columns of a row, then one per call.
    pub schema: SchemaRef,
    pub sorted: SortedSpec,
    pub calls: Vec<TotalCall>,
}

/// Keeps the rows of each partition in order with the totals of each.
#[derive(Debug)]
pub(crate) struct Running {
    spec: RunningSpec,
    sorted: SortedRows,
    /// For each entry and call what is given out.
    totals: Vec<i128>,
    /// Whether an entry came in this epoch, so that nothing was given out for it.
    is_new: Vec<bool>,
}

/// Rows of a partition whose totals may have changed.
#[derive(Debug)]
struct Span {
    group: u32,
    /// Where the next of them stands.
    from: Place,
    /// How many are brought up to date next, at least.
    rows: usize,
    /// The totals before it.
    totals: Vec<i128>,
}

/// Rows that are given out or taken back, with the totals of each.
#[derive(Default)]
struct Given {
    entries: Vec<EntryId>,
    totals: Vec<i128>,
}

impl Given {
    fn push(&mut self, entry: EntryId, totals: &[i128]) {
        self.entries.push(entry);
        self.totals.extend_from_slice(totals);
    }
}

impl Total {
    /// Whether values of a type can be totalled: those that are whole numbers inside.
    pub fn takes(data_type: &DataType) -> bool {
        data_type.is_integer()
            || matches!(
                data_type,
                DataType::Decimal128(..)
                    | DataType::Date32
                    | DataType::Date64
                    | DataType::Timestamp(..)
            )
    }

    fn before_all(self) -> i128 {
        if self == Self::Count { 0 } else { NULL }
    }

    fn add(self, total: i128, value: i128) -> i128 {
        match (self, total, value) {
            (_, total, NULL) => total,
            (Self::Count, total, _) => total + 1,
            (_, NULL, value) => value,
            (Self::Sum, total, value) => total.wrapping_add(value),
            (Self::Min, total, value) => total.min(value),
            (Self::Max, total, value) => total.max(value),
        }
    }
}

impl Running {
    pub fn new(spec: RunningSpec) -> Result<Self> {
        Ok(Self {
            sorted: SortedRows::new(spec.sorted.clone())?,
            spec,
            totals: Vec::new(),
            is_new: Vec::new(),
        })
    }

    fn place_of(&self, entry: EntryId) -> Range<usize> {
        let calls = self.spec.calls.len();
        entry as usize * calls..(entry as usize + 1) * calls
    }

    /// What rows of each partition a change touches: from the first peer of the first row that came or went to
    /// the row behind the last one. That one's total tells whether those behind it change: the total of a row
    /// before would not tell of a row that went in between.
    fn spans(&self, incoming: &Incoming, rows: impl Iterator<Item = u32>) -> Vec<Span> {
        let group = |row: &u32| incoming.groups[*row as usize];
        let mut rows: Vec<u32> = rows.collect();
        rows.sort_by_key(group);
        let of_group = rows.chunk_by(|one, other| group(one) == group(other));
        let span = |rows: &[u32]| {
            let keys = || rows.iter().map(|row| self.sorted.order_part(incoming.keys.get(*row)));
            let (first, last) = (keys().min()?, keys().max()?);
            let part = |entry: EntryId| self.sorted.order_part(self.sorted.key(entry));
            let list = self.sorted.list(group(&rows[0]));
            let from = list.partition_point(|entry| part(entry) < first);
            let touched = list.from(from).take_while(|entry| part(*entry) <= last).count();
            Some(self.span(group(&rows[0]), from, touched + 1))
        };
        of_group.filter_map(span).collect()
    }

    fn span(&self, group: u32, from: Place, rows: usize) -> Span {
        let before = self.sorted.list(group).before(from).next();
        let totals = match before {
            Some(entry) => self.totals[self.place_of(entry)].to_vec(),
            None => self.spec.calls.iter().map(|call| call.total.before_all()).collect(),
        };
        Span { group, from, rows, totals }
    }

    /// The next rows of a span. Rows equal in the order stay together.
    fn next_rows(&self, span: &Span, entries: &mut Vec<EntryId>) {
        let start = entries.len();
        let part = |entry: EntryId| self.sorted.order_part(self.sorted.key(entry));
        for entry in self.sorted.list(span.group).from(span.from) {
            let is_enough = entries.len() - start >= span.rows;
            if is_enough && entries[start..].last().is_none_or(|last| part(*last) != part(entry)) {
                break;
            }
            entries.push(entry);
        }
    }

    /// Brings totals up to date and tells which rows change.
    fn update(&mut self, mut open: Vec<Span>, going: &mut Given, coming: &mut Given) -> Result<()> {
        while !open.is_empty() {
            let (mut entries, mut ranges) = (Vec::new(), Vec::new());
            for span in &open {
                let start = entries.len();
                self.next_rows(span, &mut entries);
                ranges.push(start..entries.len());
            }
            let totals = self.totals_of(&entries, &ranges, &mut open)?;
            let calls = self.spec.calls.len();
            let mut is_same = vec![false; entries.len()];
            for (at, entry) in entries.iter().enumerate() {
                let (place, now) = (self.place_of(*entry), &totals[at * calls..(at + 1) * calls]);
                let is_new = self.is_new[*entry as usize];
                is_same[at] = !is_new && self.totals[place.clone()] == *now;
                if is_same[at] {
                    continue;
                }
                if !is_new {
                    going.push(*entry, &self.totals[place.clone()]);
                }
                coming.push(*entry, now);
                self.totals[place].copy_from_slice(now);
            }
            let mut ranges = ranges.into_iter();
            open.retain_mut(|span| {
                let range = ranges.next().expect("each span has its rows");
                let list = self.sorted.list(span.group);
                span.from = list.place_of(list.count_before(span.from) + range.len());
                span.rows = (span.rows * 4).max(ROWS_BEHIND);
                let is_settled = range.last().is_some_and(|last| is_same[last]);
                !is_settled && list.from(span.from).next().is_some()
            });
        }
        Ok(())
    }

    /// The totals of rows, of which `ranges` follow what `spans` tell.
    fn totals_of(
        &self,
        entries: &[EntryId],
        ranges: &[Range<usize>],
        spans: &mut [Span],
    ) -> Result<Vec<i128>> {
        let rows = self.sorted.gather(entries)?;
        let rows = new_batch(&self.spec.sorted.schema, rows, entries.len())?;
        let calls = self.spec.calls.len();
        let mut totals = vec![NULL; entries.len() * calls];
        for (call, spec) in self.spec.calls.iter().enumerate() {
            let values = spec.values(&rows)?;
            for (range, span) in ranges.iter().zip(&mut *spans) {
                let mut total = span.totals[call];
                for at in range.clone() {
                    total = spec.total.add(total, values[at]);
                    totals[at * calls + call] = total;
                }
                span.totals[call] = total;
                if spec.is_of_peers {
                    let part = |at: usize| self.sorted.order_part(self.sorted.key(entries[at]));
                    for at in range.clone().rev().skip(1) {
                        if part(at) == part(at + 1) {
                            totals[at * calls + call] = totals[(at + 1) * calls + call];
                        }
                    }
                }
            }
        }
        Ok(totals)
    }

    fn rows_of(&self, given: &Given) -> Result<Vec<ArrayRef>> {
        let mut columns = self.sorted.gather(&given.entries)?;
        let calls = self.spec.calls.len();
        let width = self.spec.sorted.schema.fields().len();
        for call in 0..calls {
            let totals = given.totals.iter().skip(call).step_by(calls);
            let totals = totals.map(|total| (*total != NULL).then_some(*total));
            columns.push(column(totals, self.spec.schema.field(width + call).data_type())?);
        }
        Ok(columns)
    }
}

impl TotalCall {
    /// What each row adds, [`NULL`] where it adds nothing.
    fn values(&self, rows: &arrow::array::RecordBatch) -> Result<Vec<i128>> {
        let mut values = match &self.value {
            Some(value) => {
                whole_numbers(&evaluate(std::slice::from_ref(value), rows)?[0], self.total)?
            }
            None => vec![1; rows.num_rows()],
        };
        if let Some(filter) = &self.filter {
            let passes = evaluate(std::slice::from_ref(filter), rows)?.swap_remove(0);
            let passes: &BooleanArray = passes.as_boolean();
            for (value, passes) in values.iter_mut().zip(passes) {
                if passes != Some(true) {
                    *value = NULL;
                }
            }
        }
        Ok(values)
    }
}

/// The values of a column as whole numbers; only whether there is one for what is counted.
fn whole_numbers(array: &ArrayRef, total: Total) -> Result<Vec<i128>> {
    if total == Total::Count {
        let is_there = array.logical_nulls();
        let is_there = |row: usize| is_there.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        return Ok((0..array.len()).map(|row| if is_there(row) { 1 } else { NULL }).collect());
    }
    Ok(match array.data_type() {
        DataType::Decimal128(..) => array
            .as_primitive::<Decimal128Type>()
            .iter()
            .map(|value| value.unwrap_or(NULL))
            .collect(),
        DataType::UInt64 => {
            let values = array.as_primitive::<UInt64Type>().iter();
            values.map(|value| value.map_or(NULL, i128::from)).collect()
        }
        _ => {
            let values = cast(array, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>().iter();
            values.map(|value| value.map_or(NULL, i128::from)).collect()
        }
    })
}

/// Totals as a column. Sums of integers wrap on overflow, as batch SQL's do.
fn column(totals: impl Iterator<Item = Option<i128>>, data_type: &DataType) -> Result<ArrayRef> {
    Ok(match data_type {
        DataType::Decimal128(..) => {
            Arc::new(totals.collect::<Decimal128Array>().with_data_type(data_type.clone()))
        }
        DataType::UInt64 => {
            Arc::new(totals.map(|total| total.map(|total| total as u64)).collect::<UInt64Array>())
        }
        _ => {
            let totals = totals.map(|total| total.map(|total| total as i64));
            cast(&totals.collect::<Int64Array>(), data_type)?
        }
    })
}

impl Operator for Running {
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
        self.totals.resize(self.sorted.entry_slots() * self.spec.calls.len(), NULL);
        exchange.came.iter().for_each(|entry| self.is_new[*entry as usize] = true);
        let (mut given, mut coming) = (Given::default(), Given::default());
        for entry in exchange.gone.iter().filter(|entry| !self.is_new[**entry as usize]) {
            given.push(*entry, &self.totals[self.place_of(*entry)]);
        }
        let rows = exchange.coming.iter().chain(&exchange.going).copied();
        self.update(self.spans(&incoming, rows), &mut given, &mut coming)?;
        exchange.came.iter().for_each(|entry| self.is_new[*entry as usize] = false);
        let mut weights = vec![-1; given.entries.len()];
        weights.resize(given.entries.len() + coming.entries.len(), 1);
        given.entries.append(&mut coming.entries);
        given.totals.append(&mut coming.totals);
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
            entries
                .iter()
                .for_each(|entry| given.push(*entry, &self.totals[self.place_of(*entry)]));
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
            + self.totals.capacity() * size_of::<i128>()
            + self.is_new.capacity()
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        self.sorted.save(pieces)
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        self.sorted.load(pieces)?;
        self.is_new.resize(self.sorted.entry_slots(), false);
        self.totals.resize(self.sorted.entry_slots() * self.spec.calls.len(), NULL);
        let (mut spans, mut rows) = (Vec::new(), 0);
        for group in self.sorted.groups() {
            let length = self.sorted.list(group).len();
            spans.push(self.span(group, Place::default(), length));
            rows += length;
            if rows >= PIECE_ROWS {
                rows = 0;
                let spans = std::mem::take(&mut spans);
                self.update(spans, &mut Given::default(), &mut Given::default())?;
            }
        }
        self.update(spans, &mut Given::default(), &mut Given::default())
    }
}
