//! Unnest: one row per element of a list, one column per field of a struct.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, OffsetSizeTrait, UInt32Array};
use arrow::compute::{take, take_arrays};
use arrow::datatypes::{DataType, SchemaRef};

use super::{Change, Operator};
use crate::state::new_batch;
use crate::{Delta, Result};

/// A list column to be unnested, some levels deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnnestList {
    pub column: usize,
    /// Levels taken off; 1 gives the elements.
    pub depth: usize,
}

/// Rows to be made of lists and structs.
#[derive(Debug, Clone)]
pub(crate) struct UnnestSpec {
    pub schema: SchemaRef,
    /// Lists by their place in the output, of one column one after the other.
    pub lists: Vec<UnnestList>,
    /// Columns of structs that become one column per field.
    pub structs: Vec<usize>,
    /// Whether a row whose lists are all null gives one row of nulls.
    pub keeps_null_lists: bool,
    /// Whether a row whose lists are empty does.
    pub keeps_empty_lists: bool,
}

/// Unnests lists (in step, padded with nulls to the longest) and structs.
#[derive(Debug)]
pub(crate) struct Unnest {
    spec: UnnestSpec,
}

impl Unnest {
    pub fn new(spec: UnnestSpec) -> Self {
        Self { spec }
    }

    fn unnest(&self, delta: &Delta) -> Result<Option<Delta>> {
        let mut columns = delta.batch.columns().to_vec();
        let mut weights = delta.weights.clone();
        let mut rows = delta.num_rows();
        let lists = &self.spec.lists;
        let mut elements: Vec<Option<ArrayRef>> = vec![None; lists.len()];
        // The deepest lists first, so that in the end all stand at their elements.
        for level in (1..=lists.iter().map(|list| list.depth).max().unwrap_or(0)).rev() {
            let open: Vec<usize> =
                (0..lists.len()).filter(|list| lists[*list].depth >= level).collect();
            let arrays: Vec<List> = open
                .iter()
                .map(|list| {
                    List::of(elements[*list].as_ref().unwrap_or(&columns[lists[*list].column]))
                })
                .collect();
            let lengths = self.lengths(&arrays, rows);
            let sources = UInt32Array::from(repeat(&lengths));
            rows = sources.len();
            if rows == 0 {
                return Ok(None);
            }
            for (list, array) in open.iter().zip(&arrays) {
                elements[*list] = Some(array.elements(&lengths, rows)?);
            }
            for (place, column) in columns.iter_mut().enumerate() {
                let mut unnested = lists.iter().filter(|list| list.column == place).peekable();
                // A list that has been taken apart is not given out as it was.
                if unnested.peek().is_none() || unnested.any(|list| list.depth < level) {
                    *column = take(column, &sources, None)?;
                }
            }
            if let Some(values) = weights {
                let taken = take_arrays(&[Arc::new(values) as ArrayRef], &sources, None)?;
                weights = Some(taken[0].as_primitive().clone());
            }
        }
        let mut flat: Vec<ArrayRef> = Vec::new();
        for (place, column) in columns.into_iter().enumerate() {
            let unnested = lists.iter().zip(&elements).filter(|(list, _)| list.column == place);
            let unnested: Vec<ArrayRef> =
                unnested.filter_map(|(_, elements)| elements.clone()).collect();
            match unnested.is_empty() {
                false => flat.extend(unnested),
                true if self.spec.structs.contains(&place) => flat.extend(fields(&column)),
                true => flat.push(column),
            }
        }
        Ok(Some(Delta { batch: new_batch(&self.spec.schema, flat, rows)?, weights }))
    }

    /// Output rows of each input row.
    fn lengths(&self, lists: &[List], rows: usize) -> Vec<usize> {
        let length = |list: &List, row: usize| match list.length(row) {
            None => usize::from(self.spec.keeps_null_lists),
            Some(0) => usize::from(self.spec.keeps_empty_lists),
            Some(length) => length,
        };
        let longest = |row| lists.iter().map(|list| length(list, row)).max().unwrap_or(0);
        (0..rows).map(longest).collect()
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
            DataType::FixedSizeList(_, _) => {
                let list = column.as_fixed_size_list();
                let offset = |row| list.value_offset(row) as usize;
                (Arc::clone(list.values()), (0..=list.len()).map(offset).collect())
            }
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
