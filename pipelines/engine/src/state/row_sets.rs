//! Encoded rows of groups, in order and with their counts.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryBuilder, Int64Builder, ListBuilder};
use arrow::datatypes::Int64Type;

use super::bytes::Bytes;
use super::multiset::{Change, Multiset};

/// One multiset of rows per group.
#[derive(Debug, Default)]
pub(crate) struct RowSets {
    groups: Vec<Multiset<Bytes>>,
    rows: usize,
    /// Bytes of the rows that are not kept in place.
    allocated: usize,
}

impl RowSets {
    /// Makes room for groups below `groups`.
    pub fn grow(&mut self, groups: usize) {
        self.groups.resize_with(groups, Multiset::default);
    }

    /// The rows of a group.
    pub fn group(&self, id: u32) -> &Multiset<Bytes> {
        &self.groups[id as usize]
    }

    /// Counts a row of a group up or down.
    pub fn add(&mut self, id: u32, row: &[u8], weight: i64) {
        let allocated = &mut self.allocated;
        let own = |row: &[u8]| {
            let bytes = Bytes::from(row);
            *allocated += bytes.allocated();
            bytes
        };
        match self.groups[id as usize].add(row, weight, own) {
            Change::New => self.rows += 1,
            Change::Same => {}
            Change::Gone(bytes) => {
                self.rows -= 1;
                self.allocated -= bytes.allocated();
            }
        }
    }

    /// Forgets the rows of a group.
    pub fn reset(&mut self, id: u32) {
        let group = std::mem::take(&mut self.groups[id as usize]);
        self.rows -= group.len();
        self.allocated -= group.iter().map(|(row, _)| row.allocated()).sum::<usize>();
    }

    /// The groups as two columns: rows and counts.
    pub fn save(&self, ids: &[u32]) -> Vec<ArrayRef> {
        let mut rows = ListBuilder::new(BinaryBuilder::new());
        let mut counts = ListBuilder::new(Int64Builder::new());
        for id in ids {
            for (row, count) in self.group(*id).iter() {
                rows.values().append_value(row.as_slice());
                counts.values().append_value(count);
            }
            rows.append(true);
            counts.append(true);
        }
        vec![Arc::new(rows.finish()), Arc::new(counts.finish())]
    }

    /// Takes back what [`Self::save`] gave.
    pub fn load(&mut self, ids: &[u32], columns: &[ArrayRef]) {
        let (rows, counts) = (columns[0].as_list::<i32>(), columns[1].as_list::<i32>());
        for (at, id) in ids.iter().enumerate() {
            self.reset(*id);
            let (rows, counts) = (rows.value(at), counts.value(at));
            let (rows, counts) = (rows.as_binary::<i32>(), counts.as_primitive::<Int64Type>());
            for (row, count) in rows.iter().flatten().zip(counts.values()) {
                self.add(*id, row, *count);
            }
        }
    }

    /// Bytes held. A vector or a node of a tree stands about two thirds full.
    pub fn state_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Multiset<Bytes>>()
            + self.rows * size_of::<(Bytes, i64)>() * 3 / 2
            + self.allocated
    }
}
