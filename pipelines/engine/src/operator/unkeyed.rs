//! Rows that nothing but all their columns tells apart.

use super::output::show_row;
use crate::state::{LazyRows, NONE, RowStore};
use crate::{Delta, Error, Result};

/// Brings a change into rows whose key has no columns. It must hold no row with its opposite; `place` is what an
/// error calls the rows.
pub(super) fn change_rows(store: &mut RowStore, place: &str, change: &Delta) -> Result<()> {
    let keys = store.encode_keys(&[], change.num_rows())?;
    let mut rows = LazyRows::new(&change.batch);
    let mut coming = Vec::new();
    for row in 0..change.num_rows() {
        let weight = change.weight(row);
        coming.extend((0..weight.max(0)).map(|_| row as u32));
        for _ in weight..0 {
            let entry = store.find_row(&keys, &mut rows, row)?;
            if entry == NONE {
                let row = show_row(&change.batch, row);
                return Err(Error::MissingRow { place: place.to_owned(), row });
            }
            store.remove(entry);
        }
    }
    store.insert(&change.batch, &keys, &coming)?;
    store.tidy()
}
