//! `min`, `max`, `first_value` and `last_value`: the first or last row of each group by some order.
//!
//! Rows are encoded so that comparing bytes compares rows: the columns that order, the columns given out, and
//! the length of the former. Where rows can be taken back, each group keeps
//! all of them with their counts, in order; where they can't, only the one that stands out.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, UInt32Array, new_null_array};
use arrow::compute::{SortOptions, take_arrays};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use super::group::GroupState;
use crate::Result;
use crate::state::{Bytes, RowSets, decode_rows};

/// Which row of a group is wanted, and what of it.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    /// Type and order of each argument: those that order, then those given out.
    pub arguments: Vec<(DataType, SortOptions)>,
    /// How many of the arguments are given out.
    pub outputs: usize,
    /// Whether the last row by the order is wanted.
    pub is_last: bool,
    /// Whether rows whose first output is null are passed over.
    pub skips_nulls: bool,
}

#[derive(Debug)]
enum Kept {
    /// The row that stands out, per group.
    Best(Vec<Option<Bytes>>),
    /// Every row with its count.
    All(RowSets),
}

/// Rows of each group in order.
#[derive(Debug)]
pub(super) struct Ordered {
    pick: Pick,
    order: RowConverter,
    output: RowConverter,
    output_types: Vec<DataType>,
    /// What is given out of a row whose outputs are null, and where there is no row.
    nothing: Box<[u8]>,
    kept: Kept,
    remembered: Vec<Option<Bytes>>,
    /// Bytes of the rows in [`Kept::Best`] that are not kept in place.
    allocated: usize,
}

impl Ordered {
    pub fn new(pick: Pick, is_append_only: bool) -> Result<Self> {
        let field = |(data_type, options): &(DataType, SortOptions)| {
            SortField::new_with_options(data_type.clone(), *options)
        };
        let (order, output) = pick.arguments.split_at(pick.arguments.len() - pick.outputs);
        let order = RowConverter::new(order.iter().map(field).collect())?;
        let output_types: Vec<DataType> =
            output.iter().map(|(data_type, _)| data_type.clone()).collect();
        let output = RowConverter::new(output.iter().map(field).collect())?;
        let nulls: Vec<ArrayRef> =
            output_types.iter().map(|data_type| new_null_array(data_type, 1)).collect();
        let nothing = output.convert_columns(&nulls)?.row(0).data().into();
        let kept = match is_append_only {
            true => Kept::Best(Vec::new()),
            false => Kept::All(RowSets::default()),
        };
        Ok(Self {
            pick,
            order,
            output,
            output_types,
            nothing,
            kept,
            remembered: Vec::new(),
            allocated: 0,
        })
    }

    /// The row that stands out in a group.
    fn current(&self, id: u32) -> Option<&Bytes> {
        match &self.kept {
            Kept::Best(best) => best[id as usize].as_ref(),
            Kept::All(rows) if self.pick.is_last => rows.group(id).last(),
            Kept::All(rows) => rows.group(id).first(),
        }
    }

    fn take_in(&mut self, id: u32, row: &[u8], weight: i64) {
        match &mut self.kept {
            Kept::Best(best) => {
                let best = &mut best[id as usize];
                let is_better = |best: &Bytes| match self.pick.is_last {
                    true => row > best.as_slice(),
                    false => row < best.as_slice(),
                };
                if best.as_ref().is_none_or(is_better) {
                    let row = Bytes::from(row);
                    self.allocated += row.allocated();
                    self.allocated -= best.as_ref().map_or(0, Bytes::allocated);
                    *best = Some(row);
                }
            }
            Kept::All(rows) => rows.add(id, row, weight),
        }
    }
}

/// The columns given out of an encoded row.
fn output_part(row: &Bytes) -> &[u8] {
    let (row, order_bytes) =
        row.as_slice().split_last_chunk::<4>().expect("a row ends with a length");
    &row[u32::from_le_bytes(*order_bytes) as usize..]
}

impl GroupState for Ordered {
    fn grow(&mut self, groups: usize) {
        match &mut self.kept {
            Kept::Best(best) => best.resize(groups, None),
            Kept::All(rows) => rows.grow(groups),
        }
    }

    fn remember(&mut self, ids: &[u32]) {
        let current: Vec<Option<Bytes>> = ids.iter().map(|id| self.current(*id).cloned()).collect();
        self.remembered.extend(current);
    }

    fn update(
        &mut self,
        arguments: &[ArrayRef],
        ids: &[u32],
        weights: Option<&[i64]>,
    ) -> Result<()> {
        let (order, outputs) = arguments.split_at(arguments.len() - self.pick.outputs);
        let order = if order.is_empty() { None } else { Some(self.order.convert_columns(order)?) };
        let skipped = if self.pick.skips_nulls { outputs[0].logical_nulls() } else { None };
        let outputs = self.output.convert_columns(outputs)?;
        let mut encoded = Vec::new();
        for (row, id) in ids.iter().enumerate() {
            let weight = weights.map_or(1, |weights| weights[row]);
            if weight == 0 || skipped.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            encoded.clear();
            if let Some(order) = &order {
                encoded.extend_from_slice(order.row(row).data());
            }
            let order_bytes = encoded.len() as u32;
            encoded.extend_from_slice(outputs.row(row).data());
            encoded.extend_from_slice(&order_bytes.to_le_bytes());
            self.take_in(*id, &encoded, weight);
        }
        Ok(())
    }

    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]) {
        for (at, id) in ids.iter().enumerate() {
            let before = self.remembered[at].as_ref().map_or(&*self.nothing, output_part);
            let now = self.current(*id).map_or(&*self.nothing, output_part);
            changed[at] |= before != now;
        }
    }

    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>> {
        let old = old.iter().map(|at| self.remembered[*at as usize].as_ref());
        let picked: Vec<Option<&Bytes>> =
            old.chain(new.iter().map(|id| self.current(*id))).collect();
        let present = picked.iter().flatten().map(|row| output_part(row));
        let outputs = decode_rows(&self.output, present, &self.output_types)?;
        if picked.iter().all(Option::is_some) {
            return Ok(outputs);
        }
        let mut next = 0_u32;
        let places = picked.iter().map(|row| {
            row.map(|_| {
                next += 1;
                next - 1
            })
        });
        let places: UInt32Array = places.collect();
        Ok(take_arrays(&outputs, &places, None)?)
    }

    fn settle(&mut self, _ids: &[u32]) {
        self.remembered.clear();
    }

    fn reset(&mut self, id: u32) {
        match &mut self.kept {
            Kept::Best(best) => {
                self.allocated -= best[id as usize].take().map_or(0, |row| row.allocated());
            }
            Kept::All(rows) => rows.reset(id),
        }
    }

    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        Ok(match &self.kept {
            Kept::Best(best) => {
                let rows = ids.iter().map(|id| best[*id as usize].as_ref().map(Bytes::as_slice));
                vec![Arc::new(rows.collect::<BinaryArray>())]
            }
            Kept::All(rows) => rows.save(ids),
        })
    }

    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize> {
        if let Kept::All(rows) = &mut self.kept {
            rows.load(ids, columns);
            return Ok(2);
        }
        for (id, row) in ids.iter().zip(columns[0].as_binary::<i32>()) {
            self.reset(*id);
            if let Some(row) = row {
                self.take_in(*id, row, 1);
            }
        }
        Ok(1)
    }

    fn state_bytes(&self) -> usize {
        match &self.kept {
            Kept::Best(best) => self.allocated + best.capacity() * size_of::<Option<Bytes>>(),
            Kept::All(rows) => rows.state_bytes(),
        }
    }
}
