//! Relations: where changes come in.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{Change, Operator};
use crate::checkpoint::{PieceReader, PieceWriter};
use crate::state::{NONE, RowStore, columns_at, concat, consolidate};
use crate::{Delta, RelationKind, Result};

/// A relation. Upsert relations keep their rows, to take back the old one of a key.
#[derive(Debug)]
pub(crate) struct Source {
    schema: SchemaRef,
    keyed: Option<Keyed>,
}

#[derive(Debug)]
struct Keyed {
    key: Vec<usize>,
    rows: RowStore,
}

impl Source {
    /// A relation of `schema`; the key columns of an upsert relation must exist.
    pub fn new(schema: SchemaRef, kind: &RelationKind) -> Result<Self> {
        let keyed = match kind {
            RelationKind::Append | RelationKind::Changes => None,
            RelationKind::Upsert { key } => {
                let key =
                    key.iter().map(|name| schema.index_of(name)).collect::<Result<Vec<_>, _>>()?;
                let types =
                    key.iter().map(|column| schema.field(*column).data_type().clone()).collect();
                Some(Keyed { rows: RowStore::new(Arc::clone(&schema), types)?, key })
            }
        };
        Ok(Self { schema, keyed })
    }
}

impl Keyed {
    /// Turns rows by key into rows that go and rows that come. The last row of a key wins.
    fn upsert(&mut self, delta: Delta) -> Result<Option<Delta>> {
        let rows = delta.num_rows();
        let encoded = self.rows.encode_keys(&columns_at(&delta.batch, &self.key), rows)?;
        let mut last: HashMap<&[u8], usize> = HashMap::with_capacity(rows);
        for row in 0..rows {
            last.insert(encoded.row(row), row);
        }
        let winners = (0..rows).filter(|row| last[encoded.row(*row)] == *row);
        let mut going = Vec::new();
        let mut coming = Vec::new();
        for row in winners {
            let entry = self.rows.first(encoded.row(row), encoded.hashes[row]);
            if entry != NONE {
                going.push(entry);
            }
            if delta.weight(row) > 0 {
                coming.push(row as u32);
            }
        }
        let schema = delta.batch.schema();
        let gone = crate::state::new_batch(&schema, self.rows.gather(&going)?, going.len())?;
        going.iter().for_each(|entry| self.rows.remove(*entry));
        self.rows.insert(&delta.batch, &encoded, &coming)?;
        self.rows.tidy()?;
        let come = Delta::inserts(crate::state::take_rows(&delta.batch, coming)?);
        if gone.num_rows() == 0 {
            return Ok((!come.is_empty()).then_some(come));
        }
        let change = consolidate(concat(&schema, vec![Delta::deletes(gone), come])?)?;
        Ok((!change.is_empty()).then_some(change))
    }
}

impl Operator for Source {
    fn class(&self) -> &'static str {
        if self.keyed.is_some() { "keyed relation" } else { "relation" }
    }

    fn apply(&mut self, inputs: &[Change<'_>]) -> Result<Vec<Delta>> {
        let changes: Vec<Delta> = inputs.iter().flat_map(|input| input.iter().cloned()).collect();
        match &mut self.keyed {
            Some(keyed) if !changes.is_empty() => {
                let change = keyed.upsert(concat(&self.schema, changes)?)?;
                Ok(change.into_iter().collect())
            }
            _ => Ok(changes),
        }
    }

    fn rows(&self) -> Option<Result<Vec<Delta>>> {
        let keyed = self.keyed.as_ref()?;
        let contents = keyed.rows.contents();
        Some(
            contents
                .map(|chunks| chunks.into_iter().map(|(batch, _)| Delta::inserts(batch)).collect()),
        )
    }

    fn state_rows(&self) -> usize {
        self.keyed.as_ref().map_or(0, |keyed| keyed.rows.len())
    }

    fn state_bytes(&self) -> usize {
        self.keyed.as_ref().map_or(0, |keyed| keyed.rows.state_bytes())
    }

    fn save(&mut self, pieces: &mut PieceWriter<'_>) -> Result<()> {
        match &self.keyed {
            Some(keyed) => pieces.put_rows("rows", &keyed.rows),
            None => Ok(()),
        }
    }

    fn load(&mut self, pieces: &PieceReader<'_>) -> Result<()> {
        match &mut self.keyed {
            Some(Keyed { key, rows }) => {
                rows.load(pieces.rows("rows")?, |batch| Ok(columns_at(batch, key)))
            }
            None => Ok(()),
        }
    }
}
