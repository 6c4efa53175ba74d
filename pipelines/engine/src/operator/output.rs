//! The end of a view: its change summed up, and its rows kept where asked for.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{Change, Operator};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::snapshot::SnapshotChunk;
use crate::state::{
    LazyRows, NONE, RowStore, columns_at, concat, consolidate, consolidate_by_key, going_first,
    new_batch,
};
use crate::{Delta, Error, Result};

/// A view.
#[derive(Debug)]
pub(crate) struct Output {
    view: String,
    schema: SchemaRef,
    /// Columns that identify a row, where there are such.
    key: Option<Vec<usize>>,
    kept: Option<Kept>,
}

#[derive(Debug)]
struct Kept {
    /// Columns that identify a row; all of them when rows may repeat.
    key: Vec<usize>,
    is_unique: bool,
    rows: RowStore,
}

impl Output {
    /// A view of `schema`; with `materialize` its rows are kept behind the columns `key`, which must then be
    /// unique unless empty.
    pub fn new(view: String, schema: SchemaRef, key: &[usize], materialize: bool) -> Result<Self> {
        let is_unique = !key.is_empty();
        let unique = is_unique.then(|| key.to_vec());
        let key: Vec<usize> =
            if is_unique { key.to_vec() } else { (0..schema.fields().len()).collect() };
        let types = key.iter().map(|column| schema.field(*column).data_type().clone()).collect();
        let kept = match materialize {
            true => {
                let rows = RowStore::new(Arc::clone(&schema), types)?;
                let rows = if is_unique { rows.unique_by_key() } else { rows };
                Some(Kept { rows, key, is_unique })
            }
            false => None,
        };
        Ok(Self { view, schema, key: unique, kept })
    }

    fn keep(&mut self, delta: &Delta) -> Result<()> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let keys = kept.rows.encode_keys(&columns_at(&delta.batch, &kept.key), delta.num_rows())?;
        if kept.is_unique {
            return match kept.rows.exchange(&delta.batch, &keys, |row| delta.weight(row))? {
                Ok(_) => kept.rows.tidy(),
                Err(row) if delta.weight(row) < 0 => Err(self.missing(delta, row)),
                Err(row) => {
                    let names =
                        kept.key.iter().map(|column| self.schema.field(*column).name().as_str());
                    let key = names.collect::<Vec<_>>().join(", ");
                    Err(Error::DuplicateKey { key, row: show_row(&delta.batch, row) })
                }
            };
        }
        let mut rows = LazyRows::new(&delta.batch);
        let mut coming: Vec<u32> = Vec::with_capacity(delta.num_rows());
        for row in 0..delta.num_rows() {
            let weight = delta.weight(row);
            coming.extend((0..weight.max(0)).map(|_| row as u32));
            for _ in weight..0 {
                let entry = kept.rows.find_row(&keys, &mut rows, row)?;
                if entry == NONE {
                    return Err(self.missing(delta, row));
                }
                kept.rows.remove(entry);
            }
        }
        kept.rows.insert(&delta.batch, &keys, &coming)?;
        kept.rows.tidy()
    }

    fn missing(&self, delta: &Delta, row: usize) -> Error {
        Error::MissingRow { place: format!("view {}", self.view), row: show_row(&delta.batch, row) }
    }
}

/// A row for an error message.
pub(crate) fn show_row(batch: &RecordBatch, row: usize) -> String {
    let row = batch.slice(row, 1);
    let fields = row.schema_ref().fields().iter().zip(row.columns());
    let values = fields.map(|(field, column)| {
        let value = arrow::util::display::array_value_to_string(column, 0);
        format!("{}={}", field.name(), value.unwrap_or_else(|error| error.to_string()))
    });
    values.collect::<Vec<_>>().join(", ")
}

impl Operator for Output {
    fn class(&self) -> &'static str {
        "view"
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let renamed = inputs[0].iter().map(|delta| {
            let batch = new_batch(&self.schema, delta.batch.columns().to_vec(), delta.num_rows())?;
            Ok(Delta { batch, weights: delta.weights.clone() })
        });
        let renamed = renamed.collect::<Result<Vec<Delta>>>()?;
        if renamed.is_empty() {
            return Ok(renamed);
        }
        let change = concat(&self.schema, renamed)?;
        let change = match &self.key {
            _ if inputs[0].is_consolidated => going_first(change)?,
            Some(key) => consolidate_by_key(change, key)?,
            None => consolidate(change)?,
        };
        if change.is_empty() {
            return Ok(Vec::new());
        }
        self.keep(&change)?;
        Ok(vec![change])
    }

    fn rows(&self) -> Option<Result<Vec<Delta>>> {
        let kept = self.kept.as_ref()?;
        let contents = kept.rows.contents();
        Some(
            contents
                .map(|chunks| chunks.into_iter().map(|(batch, _)| Delta::inserts(batch)).collect()),
        )
    }

    fn snapshot(&self) -> Option<Vec<SnapshotChunk>> {
        self.kept.as_ref().map(|kept| kept.rows.snapshot())
    }

    fn state_rows(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.rows.len())
    }

    fn state_bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.rows.state_bytes())
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        match &self.kept {
            Some(kept) => pieces.put_rows("rows", &kept.rows),
            None => Ok(()),
        }
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        match &mut self.kept {
            Some(Kept { key, rows, .. }) => {
                rows.load(pieces.rows("rows")?, |batch| Ok(columns_at(batch, key)))
            }
            None => Ok(()),
        }
    }
}
