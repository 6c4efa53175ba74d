//! Changes of rows that are told apart by their key or by some of their columns.

use arrow::array::RecordBatch;

use super::{EntryId, Identity, Row, RowStore};
use crate::Result;
use crate::state::encoding::EncodedRows;
use crate::state::{NONE, take_rows};

/// Rows that come are kept as part of the batch they came in, together with those that go, if there are no
/// more than this: then they are soon merged with others.
const SLICED_ROWS_MAX: usize = 32 * 1024;

impl RowStore {
    /// Takes out the rows of `batch` with negative weight and adds those of positive weight; `keys` are the
    /// encoded keys of all rows. A row that comes for one that goes takes over its place among the keys and
    /// its entry. Within `batch` no row may be the opposite of another.
    ///
    /// Gives the entries of the rows that came, in their order, or the first row that would not fit: one to
    /// take out that is not there, or a second one of its identity.
    pub fn exchange(
        &mut self,
        batch: &RecordBatch,
        keys: &EncodedRows,
        weight: impl Fn(usize) -> i64,
    ) -> Result<std::result::Result<Vec<EntryId>, usize>> {
        let rows = batch.num_rows();
        let identities = match &self.identity {
            Identity::Columns(index) => Some(index.encode(batch)?),
            Identity::Key | Identity::Row(_) => None,
        };
        let is_same = |one: usize, other: usize| {
            keys.row(one) == keys.row(other)
                && identities.as_ref().is_none_or(|all| all.row(one) == all.row(other))
        };
        // Until this is over no key goes: what is found now stays found.
        let known = match &identities {
            Some(_) => vec![NONE; rows],
            None => self.first_of_all(keys),
        };
        let find = |store: &Self, row: usize| match known[row] {
            NONE => store.find_identical(keys, identities.as_ref(), row),
            entry => entry,
        };
        let mut vacated: Vec<(EntryId, usize)> = Vec::new();
        for row in (0..rows).filter(|row| weight(*row) < 0) {
            let entry = find(self, row);
            if weight(row) < -1 || entry == NONE || self.rows[entry as usize].chunk == NONE {
                return Ok(Err(row));
            }
            let Row { chunk, row: place, .. } = self.rows[entry as usize];
            self.chunks[chunk as usize].bury(place as usize);
            self.live -= 1;
            let slot = &mut self.rows[entry as usize];
            (slot.chunk, slot.row) = (NONE, vacated.len() as u32);
            vacated.push((entry, row));
        }
        let coming: Vec<u32> = (0..rows as u32).filter(|row| weight(*row as usize) > 0).collect();
        let chunk = self.chunks.len() as u32;
        let mut owners = Vec::with_capacity(coming.len());
        let mut next_vacated = 0;
        for (place, row) in coming.iter().enumerate() {
            let row = *row as usize;
            if weight(row) > 1 {
                return Ok(Err(row));
            }
            // Rows mostly come in the order in which those before them went.
            let expected = vacated.get(next_vacated).filter(|(entry, going)| {
                self.rows[*entry as usize].chunk == NONE && is_same(*going, row)
            });
            let entry = match expected {
                Some((entry, _)) => *entry,
                None => find(self, row),
            };
            if entry == NONE {
                let key = self.keys.insert(keys.row(row), keys.hashes[row]);
                let place = place as u32;
                let entry = self.link(Row { chunk, row: place, key, previous: NONE, next: NONE });
                if let (Identity::Columns(index), Some(all)) = (&mut self.identity, &identities) {
                    index.add(all.hashes[row], entry);
                }
                owners.push(entry);
                continue;
            }
            let slot = &mut self.rows[entry as usize];
            if slot.chunk != NONE {
                return Ok(Err(row));
            }
            next_vacated = slot.row as usize + 1;
            (slot.chunk, slot.row) = (chunk, place as u32);
            owners.push(entry);
        }
        for (entry, _) in vacated {
            if self.rows[entry as usize].chunk == NONE {
                if let Identity::Columns(index) = &mut self.identity {
                    index.remove(entry);
                }
                self.unlink(entry);
            }
        }
        if let (Some(first), Some(last)) = (coming.first(), coming.last()) {
            let is_run = (last - first) as usize == coming.len() - 1;
            let is_short = coming.len() <= SLICED_ROWS_MAX;
            let batch = match is_run && (is_short || coming.len() == rows) {
                true => batch.slice(*first as usize, coming.len()),
                false => take_rows(batch, coming)?,
            };
            self.push_chunk(batch, owners.clone());
        }
        Ok(Ok(owners))
    }

    /// The entry of the row with the key and identity of row `row`, or [`NONE`].
    fn find_identical(
        &self,
        keys: &EncodedRows,
        identities: Option<&EncodedRows>,
        row: usize,
    ) -> EntryId {
        match (&self.identity, identities) {
            (Identity::Columns(index), Some(all)) => index.find(all.hashes[row], |entry| {
                self.keys.bytes(self.rows[entry as usize].key) == keys.row(row)
            }),
            _ => self.first(keys.row(row), keys.hashes[row]),
        }
    }
}
