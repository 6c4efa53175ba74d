//! Unnest: one row per element of a list, one column per field of a struct.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, OffsetSizeTrait, UInt32Array};
use arrow::compute::{take, take_arrays};
use arrow::datatypes::{DataType, SchemaRef};

use super::{Change, Operator};
use crate::state::new_batch;
use crate::{Delta, Result};

/// What becomes of one input column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnnestColumn {
    /// Repeated for each element.
    Keep,
    /// A list: one element per row.
    List,
    /// A struct: one column per field.
    Struct,
}

/// Unnests lists (in step, padded with nulls to the longest) and structs.
#[derive(Debug)]
pub(crate) struct Unnest {
    schema: SchemaRef,
    columns: Vec<UnnestColumn>,
    /// Whether a row whose lists are all null gives one row of nulls.
    keeps_null_lists: bool,
    /// Whether a row whose lists are empty does.
    keeps_empty_lists: bool,
}

impl Unnest {
    pub fn new(
        schema: SchemaRef,
        columns: Vec<UnnestColumn>,
        keeps_null_lists: bool,
        keeps_empty_lists: bool,
    ) -> Self {
        Self { schema, columns, keeps_null_lists, keeps_empty_lists }
    }

    fn unnest(&self, delta: &Delta) -> Result<Option<Delta>> {
        let mut columns = delta.batch.columns().to_vec();
        let mut weights = delta.weights.clone();
        let mut rows = delta.num_rows();
        let lists: Vec<List> = self
            .columns
            .iter()
            .zip(&columns)
            .filter(|(kind, _)| **kind == UnnestColumn::List)
            .map(|(_, column)| List::of(column))
            .collect();
        if !lists.is_empty() {
            let lengths = self.lengths(&lists, rows);
            let sources = repeat(&lengths);
            rows = sources.len();
            if rows == 0 {
                return Ok(None);
            }
            let mut lists = lists.iter();
            let sources = UInt32Array::from(sources);
            for (kind, column) in self.columns.iter().zip(&mut columns) {
                *column = match kind {
                    UnnestColumn::List => {
                        lists.next().expect("one per list column").elements(&lengths, rows)?
                    }
                    _ => take(column, &sources, None)?,
                };
            }
            if let Some(values) = weights {
                let taken = take_arrays(&[Arc::new(values) as ArrayRef], &sources, None)?;
                weights = Some(taken[0].as_primitive().clone());
            }
        }
        let flat: Vec<ArrayRef> = self
            .columns
            .iter()
            .zip(columns)
            .flat_map(|(kind, column)| match kind {
                UnnestColumn::Struct => fields(&column),
                _ => vec![column],
            })
            .collect();
        Ok(Some(Delta { batch: new_batch(&self.schema, flat, rows)?, weights }))
    }

    /// Output rows of each input row.
    fn lengths(&self, lists: &[List], rows: usize) -> Vec<usize> {
        let length = |row: usize| {
            let longest = lists.iter().filter_map(|list| list.length(row)).max();
            match longest {
                None => usize::from(self.keeps_null_lists),
                Some(0) => usize::from(self.keeps_empty_lists),
                Some(length) => length,
            }
        };
        (0..rows).map(length).collect()
    }
}

/// Fields of a struct column, as they are stored: batch SQL doesn't look at the struct's own nulls either.
fn fields(column: &ArrayRef) -> Vec<ArrayRef> {
    column.as_struct().columns().to_vec()
}

fn repeat(lengths: &[usize]) -> Vec<u32> {
    let mut sources = Vec::with_capacity(lengths.iter().sum());
    for (row, length) in lengths.iter().enumerate() {
        sources.resize(sources.len() + length, row as u32);
    }
    sources
}

/// A list column: its elements and where each row's start and end.
struct List {
    values: ArrayRef,
    offsets: Vec<usize>,
    column: ArrayRef,
}

impl List {
    fn of(column: &ArrayRef) -> Self {
        fn offsets<O: OffsetSizeTrait>(column: &ArrayRef) -> (ArrayRef, Vec<usize>) {
            let list = column.as_list::<O>();
            (
                Arc::clone(list.values()),
                list.value_offsets().iter().map(|offset| offset.as_usize()).collect(),
            )
        }
        let (values, offsets) = match column.data_type() {
            DataType::LargeList(_) => offsets::<i64>(column),
            _ => offsets::<i32>(column),
        };
        Self { values, offsets, column: Arc::clone(column) }
    }

    /// Elements of a row, `None` where the list is null.
    fn length(&self, row: usize) -> Option<usize> {
        (!self.column.is_null(row)).then(|| self.offsets[row + 1] - self.offsets[row])
    }

    /// The elements of all rows, each row padded with nulls to its length.
    fn elements(&self, lengths: &[usize], total: usize) -> Result<ArrayRef> {
        let (start, end) = (self.offsets[0], self.offsets[lengths.len()]);
        let is_gapless = end - start == total
            && lengths
                .iter()
                .enumerate()
                .all(|(row, length)| self.length(row).unwrap_or(0) == *length);
        if is_gapless {
            return Ok(self.values.slice(start, total));
        }
        let mut places: Vec<Option<i64>> = Vec::with_capacity(total);
        for (row, length) in lengths.iter().enumerate() {
            let present = self.length(row).unwrap_or(0);
            let start = self.offsets[row];
            places.extend((start..start + present).map(|place| Some(place as i64)));
            places.resize(places.len() + length - present, None);
        }
        Ok(take(&self.values, &Int64Array::from(places), None)?)
    }
}

impl Operator for Unnest {
    fn class(&self) -> &'static str {
        "linear"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        inputs[0].iter().filter_map(|delta| self.unnest(delta).transpose()).collect()
    }
}
