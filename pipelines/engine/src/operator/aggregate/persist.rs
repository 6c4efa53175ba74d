//! Groups into checkpoints and back.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryBuilder, Int64Array, RecordBatch};
use arrow::datatypes::{Field, Int64Type, Schema};

use super::Aggregate;
use crate::Result;
use crate::checkpoint::{PieceReader, PieceWriter, SavedChange, SavedGroups};
use crate::state::{NONE, new_batch};

impl Aggregate {
    /// Groups as a batch: encoded key, rows, then the state of each call.
    fn saved_batch(&self, ids: &[u32]) -> Result<RecordBatch> {
        let mut keys = BinaryBuilder::new();
        ids.iter().for_each(|id| keys.append_value(self.groups.bytes(*id)));
        let rows: Int64Array = ids.iter().map(|id| self.standing[*id as usize].rows).collect();
        let mut columns: Vec<ArrayRef> = vec![Arc::new(keys.finish()), Arc::new(rows)];
        for state in &self.states {
            columns.extend(state.save(ids)?);
        }
        let fields = columns
            .iter()
            .enumerate()
            .map(|(at, column)| Field::new(format!("c{at}"), column.data_type().clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        new_batch(&schema, columns, ids.len())
    }

    fn load_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let keys = batch.column(0).as_binary::<i32>();
        let rows = batch.column(1).as_primitive::<Int64Type>();
        let ids: Vec<u32> =
            keys.iter().map(|key| self.groups.insert_bytes(key.unwrap_or_default())).collect();
        self.grow();
        for (row, id) in ids.iter().enumerate() {
            self.standing[*id as usize].rows = rows.value(row);
        }
        let mut columns = &batch.columns()[2..];
        for state in &mut self.states {
            let taken = state.load(&ids, columns)?;
            columns = &columns[taken..];
        }
        Ok(())
    }

    pub(super) fn save_groups(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        let gone = std::mem::take(&mut self.gone);
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.iter().for_each(|id| self.standing[*id as usize].is_dirty = false);
        dirty.retain(|id| self.groups.find_bytes(self.groups.bytes(*id)) == *id);
        dirty.sort_unstable();
        dirty.dedup();
        let changed = (!std::mem::take(&mut self.must_save_all))
            .then_some(SavedChange { gone, groups: dirty.len() });
        pieces.put_groups(self.groups.len(), changed, |only_changed| {
            self.saved_batch(
                if only_changed { dirty.clone() } else { self.groups.ids() }.as_slice(),
            )
        })
    }

    pub(super) fn load_groups(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        let saved = pieces.groups(|keys| self.groups.decode(keys))?;
        for SavedGroups { gone, batch } in saved {
            for key in gone {
                let id = self.groups.find_bytes(&key);
                if id != NONE {
                    self.groups.remove(id);
                    self.standing[id as usize].rows = 0;
                    self.states.iter_mut().for_each(|state| state.reset(id));
                }
            }
            self.load_batch(&batch)?;
        }
        self.has_started = true;
        Ok(())
    }
}
