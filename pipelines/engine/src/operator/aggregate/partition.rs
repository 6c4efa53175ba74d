//! Functions that are not kept up row by row: the rows of each group are kept, and DataFusion's accumulator
//! runs afresh over the groups that changed.
//!
//! Rows stand in the order asked for and otherwise in that of their values, so that the outcome does not
//! depend on how they came. What was given out is kept as well: exactly that is taken back.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use arrow::compute::{SortOptions, cast};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use datafusion::common::ScalarValue;
use datafusion::physical_expr::aggregate::AggregateFunctionExpr;

use super::group::GroupState;
use crate::Result;
use crate::state::{Bytes, RowSets, decode_rows};

/// As many rows are decoded at once, give or take a group.
const DECODED_ROWS: usize = 16 * 1024;

/// Where an argument of the function comes from.
#[derive(Debug, Clone)]
pub(crate) enum PartitionArgument {
    /// A kept column.
    Column(usize),
    /// The same in all rows.
    Literal(ScalarValue),
}

/// A function over all rows of a group.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    pub function: Arc<AggregateFunctionExpr>,
    /// Type and order of each column kept; rows stand in this order.
    pub columns: Vec<(DataType, SortOptions)>,
    pub arguments: Vec<PartitionArgument>,
    /// Type of the result.
    pub output: DataType,
}

impl Partition {
    /// How rows are encoded, and how results are.
    pub fn fields(&self) -> (Vec<SortField>, Vec<SortField>) {
        let field = |(data_type, options): &(DataType, SortOptions)| {
            SortField::new_with_options(data_type.clone(), *options)
        };
        (self.columns.iter().map(field).collect(), vec![SortField::new(self.output.clone())])
    }
}

/// Rows of each group and what was made of them.
pub(super) struct Gathered {
    call: Partition,
    types: Vec<DataType>,
    encoding: RowConverter,
    output_encoding: RowConverter,
    rows: RowSets,
    /// Encoded result per group, `None` before it was first computed.
    results: Vec<Option<Bytes>>,
    is_stale: Vec<bool>,
    remembered: Vec<Option<Bytes>>,
    /// Bytes of the results that are not kept in place.
    allocated: usize,
}

impl Gathered {
    pub fn new(call: Partition) -> Result<Self> {
        let (fields, output) = call.fields();
        Ok(Self {
            encoding: RowConverter::new(fields)?,
            output_encoding: RowConverter::new(output)?,
            types: call.columns.iter().map(|(data_type, _)| data_type.clone()).collect(),
            call,
            rows: RowSets::default(),
            results: Vec::new(),
            is_stale: Vec::new(),
            remembered: Vec::new(),
            allocated: 0,
        })
    }

    fn set_result(&mut self, id: u32, result: Option<Bytes>) {
        let slot = &mut self.results[id as usize];
        self.allocated -= slot.as_ref().map_or(0, Bytes::allocated);
        self.allocated += result.as_ref().map_or(0, Bytes::allocated);
        *slot = result;
        self.is_stale[id as usize] = false;
    }

    /// Results of the function for `groups`, whose encoded rows stand in `rows` one after the other.
    fn results_of(&self, groups: &[(u32, usize)], rows: &[&[u8]]) -> Result<Vec<Bytes>> {
        let columns = decode_rows(&self.encoding, rows.iter().copied(), &self.types)?;
        let mut start = 0;
        let mut results = Vec::with_capacity(groups.len());
        for (_, length) in groups {
            let mut accumulator = self.call.function.create_accumulator()?;
            if *length > 0 {
                let argument = |argument: &PartitionArgument| match argument {
                    PartitionArgument::Column(place) => Ok(columns[*place].slice(start, *length)),
                    PartitionArgument::Literal(value) => value.to_array_of_size(*length),
                };
                let arguments: Result<Vec<ArrayRef>, _> =
                    self.call.arguments.iter().map(argument).collect();
                accumulator.update_batch(&arguments?)?;
            }
            results.push(accumulator.evaluate()?);
            start += length;
        }
        let results = ScalarValue::iter_to_array(results)?;
        let results = match results.data_type() == &self.call.output {
            true => results,
            false => cast(&results, &self.call.output)?,
        };
        let encoded = self.output_encoding.convert_columns(&[results])?;
        Ok(encoded.iter().map(|row| Bytes::from(row.data())).collect())
    }
}

impl GroupState for Gathered {
    fn grow(&mut self, groups: usize) {
        self.rows.grow(groups);
        self.results.resize(groups, None);
        self.is_stale.resize(groups, false);
    }

    fn remember(&mut self, ids: &[u32]) {
        self.remembered.extend(ids.iter().map(|id| self.results[*id as usize].clone()));
    }

    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let encoded = self.encoding.convert_columns(arguments)?;
        for (row, id) in ids.iter().enumerate() {
            let weight = weights.map_or(1, |weights| weights[row]);
            if weight != 0 {
                self.rows.add(*id, encoded.row(row).data(), weight);
                self.is_stale[*id as usize] = true;
            }
        }
        Ok(())
    }

    fn finish(&mut self, ids: &[u32]) -> Result<()> {
        let mut stale = ids
            .iter()
            .copied()
            .filter(|id| self.is_stale[*id as usize] || self.results[*id as usize].is_none());
        let mut computed: Vec<(u32, Bytes)> = Vec::new();
        loop {
            let (mut groups, mut rows) = (Vec::new(), Vec::new());
            while rows.len() < DECODED_ROWS
                && let Some(id) = stale.next()
            {
                let before = rows.len();
                for (row, count) in self.rows.group(id).iter() {
                    rows.extend((0..count).map(|_| row.as_slice()));
                }
                groups.push((id, rows.len() - before));
            }
            if groups.is_empty() {
                break;
            }
            let results = self.results_of(&groups, &rows)?;
            computed.extend(groups.iter().map(|(id, _)| *id).zip(results));
        }
        drop(stale);
        computed.into_iter().for_each(|(id, result)| self.set_result(id, Some(result)));
        Ok(())
    }

    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]) {
        for (at, id) in ids.iter().enumerate() {
            changed[at] |= self.remembered[at] != self.results[*id as usize];
        }
    }

    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>> {
        let old = old.iter().map(|at| &self.remembered[*at as usize]);
        let results = old.chain(new.iter().map(|id| &self.results[*id as usize]));
        let rows =
            results.map(|result| result.as_ref().expect("invariant: finished before").as_slice());
        decode_rows(&self.output_encoding, rows, std::slice::from_ref(&self.call.output))
    }

    fn settle(&mut self, _ids: &[u32]) {
        self.remembered.clear();
    }

    fn reset(&mut self, id: u32) {
        self.rows.reset(id);
        self.set_result(id, None);
    }

    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut columns = self.rows.save(ids);
        let results = ids.iter().map(|id| self.results[*id as usize].as_ref().map(Bytes::as_slice));
        columns.push(Arc::new(results.collect::<BinaryArray>()));
        Ok(columns)
    }

    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize> {
        self.rows.load(ids, columns);
        for (id, result) in ids.iter().zip(columns[2].as_binary::<i32>()) {
            self.set_result(*id, result.map(Bytes::from));
        }
        Ok(3)
    }

    fn state_bytes(&self) -> usize {
        self.rows.state_bytes()
            + self.results.capacity() * size_of::<Option<Bytes>>()
            + self.is_stale.capacity()
            + self.allocated
    }
}
