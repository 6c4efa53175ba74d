//! Window functions of any kind: evaluated anew over the partitions a change touches.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, new_null_array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{and, concat as concat_arrays};
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::window::WindowExpr;

use crate::checkpoint::{PieceReader, PieceWriter};
use crate::operator::sorted::{SortedRows, SortedSpec};
use crate::operator::{Change, Operator};
use crate::state::{EntryId, concat, equal_values, new_batch, take_rows};
use crate::{Delta, Result};

/// Functions over the rows of each partition in their order.
#[derive(Debug, Clone)]
pub(crate) struct PartitionsSpec {
    /// Columns of a row.
    pub input: SchemaRef,
    /// Columns of a row, then one per function.
    pub schema: SchemaRef,
    /// The rows kept are those of `schema`.
    pub sorted: SortedSpec,
    pub functions: Vec<Arc<dyn WindowExpr>>,
    /// Rows evaluated at once, at most, unless a single partition has more.
    pub batch_rows_max: usize,
}

/// Keeps the rows of each partition with what the functions gave.
#[derive(Debug)]
pub(crate) struct Partitions {
    spec: PartitionsSpec,
    sorted: SortedRows,
    /// Whether an entry came in this epoch, so that nothing was given out for it.
    is_new: Vec<bool>,
}

impl Partitions {
    pub fn new(spec: PartitionsSpec) -> Result<Self> {
        Ok(Self { sorted: SortedRows::new(spec.sorted.clone())?, spec, is_new: Vec::new() })
    }

    /// Rows with nothing yet where the functions' results will stand.
    fn unevaluated(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let results = self.spec.schema.fields().iter().skip(self.width());
        let results = results.map(|field| new_null_array(field.data_type(), rows));
        let columns = batch.columns().iter().cloned().chain(results).collect();
        new_batch(&self.spec.sorted.schema, columns, rows)
    }

    fn width(&self) -> usize {
        self.spec.input.fields().len()
    }

    /// Evaluates partitions that fit in one batch and keeps what they give now.
    fn evaluate(&mut self, groups: &[u32]) -> Result<Option<Delta>> {
        let mut entries: Vec<EntryId> = Vec::new();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for group in groups {
            let start = entries.len();
            entries.extend(self.sorted.list(*group).iter());
            ranges.push(start..entries.len());
        }
        let before = self.sorted.gather(&entries)?;
        let rows = new_batch(&self.spec.input, before[..self.width()].to_vec(), entries.len())?;
        let results = self.spec.functions.iter().map(|function| results(function, &rows, &ranges));
        let results = results.collect::<Result<Vec<_>>>()?;
        let mut same = BooleanArray::new(BooleanBuffer::new_set(entries.len()), None);
        for (before, now) in before[self.width()..].iter().zip(&results) {
            same = and(&same, &equal_values(before, now)?)?;
        }
        let is_new = |at: &u32| self.is_new[entries[*at as usize] as usize];
        let all = 0..entries.len() as u32;
        let changed: Vec<u32> = all.filter(|at| !same.value(*at as usize) || is_new(at)).collect();
        if changed.is_empty() {
            return Ok(None);
        }
        let gone: Vec<u32> = changed.iter().copied().filter(|at| !is_new(at)).collect();
        let now = rows.columns().iter().cloned().chain(results).collect();
        let before = new_batch(&self.spec.sorted.schema, before, entries.len())?;
        let now =
            take_rows(&new_batch(&self.spec.sorted.schema, now, entries.len())?, changed.clone())?;
        let came = now.num_rows();
        let replaced = changed.iter().map(|at| entries[*at as usize]).collect();
        self.sorted.replace(replaced, now.clone());
        let Some(gone) = (!gone.is_empty()).then(|| take_rows(&before, gone)).transpose()? else {
            return Ok(Some(Delta::inserts(self.given(now.columns().to_vec(), came)?)));
        };
        let mut weights = vec![-1; gone.num_rows()];
        weights.resize(gone.num_rows() + came, 1);
        let both = gone.columns().iter().zip(now.columns());
        let both = both.map(|(gone, now)| concat_arrays(&[gone.as_ref(), now.as_ref()]));
        let both = self.given(both.collect::<Result<_, _>>()?, weights.len())?;
        Ok(Some(Delta::weighted(both, weights)))
    }

    /// Columns kept as rows given out.
    fn given(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        new_batch(&self.spec.schema, columns, rows)
    }
}

/// What a function gives for each row, of which `ranges` are partitions.
fn results(
    function: &Arc<dyn WindowExpr>,
    rows: &RecordBatch,
    ranges: &[Range<usize>],
) -> Result<ArrayRef> {
    let of_range = |range: &Range<usize>| function.evaluate(&rows.slice(range.start, range.len()));
    let parts = ranges.iter().map(of_range).collect::<Result<Vec<_>, _>>()?;
    match parts.as_slice() {
        [part] => Ok(Arc::clone(part)),
        parts => Ok(concat_arrays(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>())?),
    }
}

impl Operator for Partitions {
    fn class(&self) -> &'static str {
        "partition"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let mut output = Vec::new();
        if inputs[0].is_empty() {
            return Ok(output);
        }
        let delta = concat(&self.spec.input, inputs[0].to_vec())?;
        let incoming = self.sorted.read(&delta.batch)?;
        let unevaluated = self.unevaluated(&delta.batch)?;
        let exchange = self.sorted.exchange(&delta, &unevaluated, &incoming)?;
        self.is_new.resize(self.sorted.entry_slots(), false);
        exchange.came.iter().for_each(|entry| self.is_new[*entry as usize] = true);
        let given = exchange.gone.iter().copied().filter(|entry| !self.is_new[*entry as usize]);
        let given: Vec<EntryId> = given.collect();
        if !given.is_empty() {
            let gone = self.given(self.sorted.gather(&given)?, given.len())?;
            output.push(Delta::deletes(gone));
        }
        let mut touched = incoming.groups;
        touched.sort_unstable();
        touched.dedup();
        let standing = touched.iter().copied().filter(|group| self.sorted.list(*group).len() > 0);
        let standing: Vec<u32> = standing.collect();
        let mut open = standing.as_slice();
        while !open.is_empty() {
            let mut rows = 0;
            let fitting = open.iter().take_while(|group| {
                rows += self.sorted.list(**group).len();
                rows <= self.spec.batch_rows_max
            });
            let (groups, rest) = open.split_at(fitting.count().max(1));
            output.extend(self.evaluate(groups)?);
            open = rest;
        }
        exchange.came.iter().for_each(|entry| self.is_new[*entry as usize] = false);
        self.sorted.settle(&exchange.gone, &touched)?;
        Ok(output)
    }

    fn rows(&self) -> Option<Result<Vec<Delta>>> {
        let given = |batch: RecordBatch| {
            let rows = batch.num_rows();
            Ok(Delta::inserts(self.given(batch.columns().to_vec(), rows)?))
        };
        Some(self.sorted.contents().and_then(|chunks| chunks.into_iter().map(given).collect()))
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn state_rows(&self) -> usize {
        self.sorted.len()
    }

    fn state_bytes(&self) -> usize {
        self.sorted.state_bytes() + self.is_new.capacity()
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        self.sorted.save(pieces)
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        self.sorted.load(pieces)
    }
}
