//! Columnar state shared by the operators: keys with ids, rows behind keys, ordered values per group.

mod batches;
mod bytes;
mod consolidate;
mod encoding;
mod keys;
mod multiset;
mod row_sets;
mod rows;

pub(crate) use batches::{columns_at, new_batch, take_rows};
pub(crate) use bytes::Bytes;
pub(crate) use consolidate::{concat, consolidate, consolidate_by_key, equal_values, going_first};
pub(crate) use encoding::{EncodedRows, RowEncoding, decode_rows};
pub(crate) use keys::{KeyTable, NONE};
pub(crate) use multiset::{Change as SetChange, Multiset};
pub(crate) use row_sets::RowSets;
pub(crate) use rows::{EntryId, LazyRows, RowStore, SavedChunk, SavedRows};
