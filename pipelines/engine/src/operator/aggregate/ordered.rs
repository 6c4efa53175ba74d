//! `min`, `max`, `first_value` and `last_value`: the first or last row of each group by some order.
//!
//! Rows are encoded so that comparing bytes compares rows: the columns that order, the columns given out, and
//! the length of the former. Where rows can be taken back, each group keeps
//! all of them with their counts, in one sorted map; where they can't, only the one that stands out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryBuilder, Int64Builder, ListBuilder};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Int64Type};
use arrow::row::{RowConverter, SortField};

use super::GroupState;
use crate::Result;

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

type Encoded = Box<[u8]>;

#[derive(Debug)]
enum Kept {
    /// The row that stands out, per group.
    Best(Vec<Option<Encoded>>),
    /// Every row with its count, behind its group.
    All(BTreeMap<Encoded, i64>),
}

/// Rows of each group in order.
#[derive(Debug)]
pub(super) struct Ordered {
    pick: Pick,
    order: RowConverter,
    output: RowConverter,
    kept: Kept,
    remembered: Vec<Option<Encoded>>,
    groups: usize,
    /// Bytes of the rows in `kept`.
    bytes: usize,
}

/// Bytes in front of each row in [`Kept::All`]: the group, greatest byte first.
const GROUP_BYTES: usize = 4;

impl Ordered {
    pub fn new(pick: Pick, is_append_only: bool) -> Result<Self> {
        let field = |(data_type, options): &(DataType, SortOptions)| {
            SortField::new_with_options(data_type.clone(), *options)
        };
        let (order, output) = pick.arguments.split_at(pick.arguments.len() - pick.outputs);
        let order = RowConverter::new(order.iter().map(field).collect())?;
        let output = RowConverter::new(output.iter().map(field).collect())?;
        let kept = if is_append_only { Kept::Best(Vec::new()) } else { Kept::All(BTreeMap::new()) };
        Ok(Self { pick, order, output, kept, remembered: Vec::new(), groups: 0, bytes: 0 })
    }

    /// The row that stands out in a group.
    fn current(&self, id: u32) -> Option<&[u8]> {
        match &self.kept {
            Kept::Best(best) => best[id as usize].as_deref(),
            Kept::All(rows) => {
                let mut group = group_rows(rows, id).filter(|(_, count)| **count > 0);
                let picked = if self.pick.is_last { group.next_back() } else { group.next() };
                picked.map(|(row, _)| &row[GROUP_BYTES..])
            }
        }
    }
}

/// The columns given out of an encoded row.
fn output_part(row: &[u8]) -> &[u8] {
    let (row, order_bytes) = row.split_last_chunk::<4>().expect("a row ends with a length");
    &row[u32::from_le_bytes(*order_bytes) as usize..]
}

fn group_rows(
    rows: &BTreeMap<Encoded, i64>,
    id: u32,
) -> impl DoubleEndedIterator<Item = (&Encoded, &i64)> {
    let start: Encoded = id.to_be_bytes().into();
    match id.checked_add(1) {
        Some(next) => rows.range(start..next.to_be_bytes().into()),
        None => rows.range(start..),
    }
}

impl GroupState for Ordered {
    fn grow(&mut self, groups: usize) {
        self.groups = groups;
        if let Kept::Best(best) = &mut self.kept {
            best.resize(groups, None);
        }
    }

    fn remember(&mut self, ids: &[u32]) {
        let current: Vec<Option<Encoded>> =
            ids.iter().map(|id| self.current(*id).map(Box::from)).collect();
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
        let mut key = Vec::new();
        for (row, id) in ids.iter().enumerate() {
            let weight = weights.map_or(1, |weights| weights[row]);
            if weight == 0 || skipped.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            key.clear();
            key.extend_from_slice(&id.to_be_bytes());
            if let Some(order) = &order {
                key.extend_from_slice(order.row(row).data());
            }
            let order_bytes = (key.len() - GROUP_BYTES) as u32;
            key.extend_from_slice(outputs.row(row).data());
            key.extend_from_slice(&order_bytes.to_le_bytes());
            let encoded = &key[GROUP_BYTES..];
            match &mut self.kept {
                Kept::Best(best) => {
                    let best = &mut best[*id as usize];
                    let wins = best.as_deref().is_none_or(|best| {
                        if self.pick.is_last { encoded > best } else { encoded < best }
                    });
                    if wins {
                        self.bytes += encoded.len();
                        self.bytes -= best.as_ref().map_or(0, |best| best.len());
                        *best = Some(encoded.into());
                    }
                }
                Kept::All(rows) => match rows.get_mut(key.as_slice()) {
                    Some(count) => {
                        *count += weight;
                        if *count == 0 {
                            rows.remove(key.as_slice());
                            self.bytes -= key.len();
                        }
                    }
                    None => {
                        self.bytes += key.len();
                        rows.insert(key.as_slice().into(), weight);
                    }
                },
            }
        }
        Ok(())
    }

    fn mark_changed(&self, ids: &[u32], changed: &mut [bool]) {
        for (at, id) in ids.iter().enumerate() {
            changed[at] |= self.remembered[at].as_deref().map(output_part)
                != self.current(*id).map(output_part);
        }
    }

    fn output(&self, old: &[u32], new: &[u32]) -> Result<Vec<ArrayRef>> {
        let old = old.iter().map(|at| self.remembered[*at as usize].as_deref());
        let picked: Vec<Option<&[u8]>> =
            old.chain(new.iter().map(|id| self.current(*id))).collect();
        let parser = self.output.parser();
        let present = picked.iter().flatten().map(|row| parser.parse(output_part(row)));
        let outputs = self.output.convert_rows(present)?;
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
        let places: arrow::array::UInt32Array = places.collect();
        Ok(arrow::compute::take_arrays(&outputs, &places, None)?)
    }

    fn settle(&mut self, _ids: &[u32]) {
        self.remembered.clear();
    }

    fn reset(&mut self, id: u32) {
        match &mut self.kept {
            Kept::Best(best) => {
                self.bytes -= best[id as usize].take().map_or(0, |row| row.len());
            }
            Kept::All(rows) => {
                let left: Vec<Encoded> = group_rows(rows, id).map(|(row, _)| row.clone()).collect();
                for row in left {
                    rows.remove(&row);
                    self.bytes -= row.len();
                }
            }
        }
    }

    fn save(&self, ids: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut rows = ListBuilder::new(BinaryBuilder::new());
        let mut counts = ListBuilder::new(Int64Builder::new());
        for id in ids {
            match &self.kept {
                Kept::Best(best) => {
                    for row in best[*id as usize].iter() {
                        rows.values().append_value(row);
                        counts.values().append_value(1);
                    }
                }
                Kept::All(all) => {
                    for (row, count) in group_rows(all, *id) {
                        rows.values().append_value(&row[GROUP_BYTES..]);
                        counts.values().append_value(*count);
                    }
                }
            }
            rows.append(true);
            counts.append(true);
        }
        Ok(vec![Arc::new(rows.finish()), Arc::new(counts.finish())])
    }

    fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) -> Result<usize> {
        let (rows, counts) = (columns[0].as_list::<i32>(), columns[1].as_list::<i32>());
        for (at, id) in ids.iter().enumerate() {
            self.reset(*id);
            let (rows, counts) = (rows.value(at), counts.value(at));
            let (rows, counts) = (rows.as_binary::<i32>(), counts.as_primitive::<Int64Type>());
            for (row, count) in rows.iter().flatten().zip(counts.values()) {
                match &mut self.kept {
                    Kept::Best(best) => {
                        self.bytes += row.len();
                        best[*id as usize] = Some(row.into());
                    }
                    Kept::All(all) => {
                        let key: Encoded = [&id.to_be_bytes()[..], row].concat().into();
                        self.bytes += key.len();
                        all.insert(key, *count);
                    }
                }
            }
        }
        Ok(2)
    }

    fn state_bytes(&self) -> usize {
        // A map node holds pointer, length and count per row, and stands about two thirds full.
        let per_row = size_of::<(Encoded, i64)>() * 3 / 2;
        match &self.kept {
            Kept::Best(best) => self.bytes + best.capacity() * size_of::<Option<Encoded>>(),
            Kept::All(rows) => self.bytes + rows.len() * per_row,
        }
    }
}
