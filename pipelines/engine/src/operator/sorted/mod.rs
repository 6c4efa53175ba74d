//! Rows of each group in a total order: what top-k and window functions keep.
//!
//! Rows equal in the order asked for are ordered by a fixed hash of the row, so that the order is the same in
//! whatever order the rows came.

mod keys;
mod list;

pub(crate) use keys::SortKeys;
pub(crate) use list::{EntryList, Place};

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::physical_expr::PhysicalExpr;

use self::keys::RowOrder;
use super::evaluate;
use super::output::show_row;
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{EncodedRows, EntryId, KeyTable, RowStore};
use crate::{Delta, Error, Result};

/// Rows of a piece when all rows kept are given out.
pub(crate) const PIECE_ROWS: usize = 32 * 1024;

/// Groups of rows and their order.
#[derive(Debug, Clone)]
pub(crate) struct SortedSpec {
    /// Columns of the rows kept.
    pub schema: SchemaRef,
    /// Rows equal in these form a group.
    pub partition: Vec<Arc<dyn PhysicalExpr>>,
    pub order: Vec<(Arc<dyn PhysicalExpr>, SortOptions)>,
    /// Columns in which rows of one group that are equal in the order may differ.
    pub tie_columns: Vec<usize>,
}

/// Rows of each group in order.
#[derive(Debug)]
pub(crate) struct SortedRows {
    spec: SortedSpec,
    order: RowOrder,
    groups: KeyTable,
    lists: Vec<EntryList>,
    rows: RowStore,
    keys: SortKeys,
}

/// Group and sort key of each row of a batch.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub groups: Vec<u32>,
    pub keys: SortKeys,
}

/// Rows of a change that came and went, with their entries. Those that went can be read until they are forgotten.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub coming: Vec<u32>,
    pub came: Vec<EntryId>,
    pub going: Vec<u32>,
    pub gone: Vec<EntryId>,
}

impl SortedRows {
    pub fn new(spec: SortedSpec) -> Result<Self> {
        let schema = &spec.schema;
        let type_of = |expression: &Arc<dyn PhysicalExpr>| expression.data_type(schema);
        let partition = spec.partition.iter().map(type_of).collect::<Result<_, _>>()?;
        let order = spec.order.iter().map(|(column, options)| Ok((type_of(column)?, *options)));
        let order = order.collect::<Result<Vec<_>>>()?;
        let types: Vec<_> = schema.fields().iter().map(|field| field.data_type().clone()).collect();
        let order = RowOrder::new(&order, &types, spec.tie_columns.clone())?;
        Ok(Self {
            groups: KeyTable::new(partition)?,
            lists: Vec::new(),
            rows: RowStore::without_keys(Arc::clone(schema))?,
            keys: order.no_keys(),
            order,
            spec,
        })
    }

    /// Groups and sort keys of rows. Groups that are new have no rows yet.
    pub fn read(&mut self, batch: &RecordBatch) -> Result<Incoming> {
        let rows = batch.num_rows();
        let partition = evaluate(&self.spec.partition, batch)?;
        let encoded = self.groups.encode(&partition, rows)?;
        let groups = self.groups.insert_all(&encoded);
        if self.groups.slots() > self.lists.len() {
            self.lists.resize_with(self.groups.slots(), EntryList::default);
        }
        let order: Vec<_> = self.spec.order.iter().map(|(column, _)| Arc::clone(column)).collect();
        let keys = self.order.keys(&evaluate(&order, batch)?, batch)?;
        Ok(Incoming { groups, keys })
    }

    /// Adds the rows of `batch` that `rows` names, as often as it does, and gives their entries.
    pub fn insert(
        &mut self,
        batch: &RecordBatch,
        incoming: &Incoming,
        rows: &[u32],
    ) -> Result<Vec<EntryId>> {
        let entries = self.rows.insert(batch, &EncodedRows::default(), rows)?;
        self.enter(incoming, rows, &entries);
        Ok(entries)
    }

    fn enter(&mut self, incoming: &Incoming, rows: &[u32], entries: &[EntryId]) {
        for (row, entry) in rows.iter().zip(entries) {
            let key = incoming.keys.get(*row);
            self.keys.set(*entry, key);
            let list = &mut self.lists[incoming.groups[*row as usize] as usize];
            let place = list.partition_point(|other| self.keys.get(other) < key);
            list.insert(place, *entry);
        }
    }

    /// Takes the rows of a change in and out. `stored` are the rows as they are to be kept.
    pub fn exchange(
        &mut self,
        delta: &Delta,
        stored: &RecordBatch,
        incoming: &Incoming,
    ) -> Result<Exchange> {
        let copies = |sign: i64| {
            let times = move |row: u32| (delta.weight(row as usize) * sign).max(0);
            let rows = 0..delta.num_rows() as u32;
            rows.flat_map(move |row| (0..times(row)).map(move |_| row)).collect::<Vec<u32>>()
        };
        // Rows that come are there before any goes: within an epoch a row may do both, in any order.
        let (coming, going) = (copies(1), copies(-1));
        let came = self.insert(stored, incoming, &coming)?;
        let gone = going.iter().map(|row| self.take_out(&delta.batch, incoming, *row as usize));
        let gone = gone.collect::<Result<_>>()?;
        Ok(Exchange { coming, came, going, gone })
    }

    /// Takes a row equal to row `row` of `batch` out of its group. It can still be read until it is forgotten.
    fn take_out(
        &mut self,
        batch: &RecordBatch,
        incoming: &Incoming,
        row: usize,
    ) -> Result<EntryId> {
        let (group, key) = (incoming.groups[row], incoming.keys.get(row as u32));
        let place = self.find(group, key);
        let list = &mut self.lists[group as usize];
        match list.get(place) {
            Some(entry) if self.keys.get(entry) == key => {
                list.remove(place);
                Ok(entry)
            }
            _ => Err(Error::MissingRow {
                place: "ordered rows".to_owned(),
                row: show_row(batch, row),
            }),
        }
    }

    /// Where the first row with that key stands in its group or would stand.
    pub fn find(&self, group: u32, key: &[u8]) -> Place {
        self.lists[group as usize].partition_point(|entry| self.keys.get(entry) < key)
    }

    /// The rows of a group, in order.
    pub fn list(&self, group: u32) -> &EntryList {
        &self.lists[group as usize]
    }

    /// Takes rows behind the first `count` out of a group. They can still be read until they are forgotten.
    pub fn truncate(&mut self, group: u32, count: usize, gone: &mut Vec<EntryId>) {
        self.lists[group as usize].truncate(count, gone);
    }

    pub fn key(&self, entry: EntryId) -> &[u8] {
        self.keys.get(entry)
    }

    /// A sort key without what tells ties apart.
    pub fn order_part<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        self.order.order_part(key)
    }

    /// The columns of `entries`.
    pub fn gather(&self, entries: &[EntryId]) -> Result<Vec<ArrayRef>> {
        self.rows.gather(entries)
    }

    /// Puts other rows of the same group and sort key in the place of `entries`.
    pub fn replace(&mut self, entries: Vec<EntryId>, batch: RecordBatch) {
        self.rows.replace(entries, batch);
    }

    /// All rows, as one batch per chunk.
    pub fn contents(&self) -> Result<Vec<RecordBatch>> {
        Ok(self.rows.contents()?.into_iter().map(|(batch, _)| batch).collect())
    }

    /// Groups that have rows.
    pub fn groups(&self) -> Vec<u32> {
        self.groups.ids()
    }

    /// One more than the greatest group given out.
    pub fn group_slots(&self) -> usize {
        self.groups.slots()
    }

    /// One more than the greatest entry given out.
    pub fn entry_slots(&self) -> usize {
        self.rows.slots()
    }

    /// Ends an epoch: forgets rows that were taken out and those of `groups` that are empty.
    pub fn settle(&mut self, taken_out: &[EntryId], groups: &[u32]) -> Result<()> {
        for entry in taken_out {
            self.rows.remove(*entry);
            self.keys.forget(*entry);
        }
        for group in groups.iter().filter(|group| self.lists[**group as usize].len() == 0) {
            self.groups.remove(*group);
        }
        self.rows.tidy()
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn state_bytes(&self) -> usize {
        // Lists of more than one entry hold them outside of `lists`.
        self.rows.state_bytes()
            + self.keys.state_bytes()
            + self.groups.state_bytes()
            + self.lists.capacity() * size_of::<EntryList>()
            + self.rows.len().saturating_sub(self.groups.len()) * size_of::<EntryId>()
    }

    pub fn save(&self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        pieces.put_rows("rows", &self.rows)
    }

    pub fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        let partition = &self.spec.partition;
        self.rows.load(pieces.rows("rows")?, |batch| evaluate(partition, batch))?;
        // What other workers kept may come behind what is there already.
        for group in self.groups.ids() {
            self.groups.remove(group);
            self.lists[group as usize] = EntryList::default();
        }
        for (batch, entries) in self.rows.contents()? {
            let incoming = self.read(&batch)?;
            let rows: Vec<u32> = (0..entries.len() as u32).collect();
            self.enter(&incoming, &rows, &entries);
        }
        Ok(())
    }
}
