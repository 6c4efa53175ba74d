//! What one or several epochs did to the rows under a filter: rows to put and keys to drop.

use std::collections::HashMap;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{OwnedRow, RowConverter, SortField};
use millrace_views::ViewChange;

use super::filter::Filter;
use crate::Error;

/// Rows under one filter after a run of epochs, by key: whoever held the rows before and applies
/// this holds the rows after.
#[derive(Debug)]
pub(crate) struct Change {
    /// Whole rows, one per key.
    pub upserts: RecordBatch,
    /// The key columns of rows that are gone, or no longer pass the filter.
    pub deletes: RecordBatch,
}

impl Change {
    pub(crate) fn is_empty(&self) -> bool {
        self.upserts.num_rows() == 0 && self.deletes.num_rows() == 0
    }
}

/// Folds changes, the oldest first, into one. `key` holds the places of the key columns.
pub(crate) fn fold<'a>(
    schema: &SchemaRef,
    key: &[usize],
    filter: &Filter,
    changes: impl IntoIterator<Item = &'a ViewChange>,
) -> Result<Change, Error> {
    let parts: Vec<(&RecordBatch, bool)> = changes
        .into_iter()
        .flat_map(|change| [(&change.deletes, false), (&change.upserts, true)])
        .collect();
    let rows = concat_batches(schema, parts.iter().map(|(batch, _)| *batch))?;
    let comes =
        parts.iter().flat_map(|(batch, comes)| std::iter::repeat_n(*comes, batch.num_rows()));
    let passes = filter.mask(&rows)?;
    let could_pass = filter.on(key).mask(&rows)?;
    let keys = rows.project(key)?;
    let fields = keys.columns().iter().map(|column| SortField::new(column.data_type().clone()));
    let encoded = RowConverter::new(fields.collect())?.convert_columns(keys.columns())?;

    // The last word on each key: a row that stands, or any row that carries the key that fell. A row
    // whose key could pass may have passed before it changed, so it falls when it doesn't pass now.
    let mut last: HashMap<OwnedRow, (usize, bool)> = HashMap::new();
    for (row, comes) in comes.enumerate() {
        let is_in = |mask: &Option<_>| {
            mask.as_ref().is_none_or(|mask: &arrow::array::BooleanArray| mask.value(row))
        };
        if is_in(&could_pass) {
            last.insert(encoded.row(row).owned(), (row, comes && is_in(&passes)));
        }
    }
    let places = |wanted: bool| {
        let mut rows: Vec<u64> = last
            .values()
            .filter(|(_, stands)| *stands == wanted)
            .map(|(row, _)| *row as u64)
            .collect();
        rows.sort_unstable();
        UInt64Array::from(rows)
    };
    Ok(Change {
        upserts: take_record_batch(&rows, &places(true))?,
        deletes: take_record_batch(&keys, &places(false))?,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use millrace_events::Position;

    use super::*;
    use crate::view::rows;

    fn schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("shop", DataType::Utf8, false),
            Field::new("units", DataType::Int64, false),
        ]))
    }

    fn batch(rows: &[(&str, i64)]) -> RecordBatch {
        let shops: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0)).collect::<StringArray>());
        let units: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>());
        RecordBatch::try_new(schema(), vec![shops, units]).expect("batch")
    }

    fn change(deletes: &[(&str, i64)], upserts: &[(&str, i64)]) -> ViewChange {
        let (deletes, upserts) = (batch(deletes), batch(upserts));
        ViewChange { epoch: 1, position: Position(1), as_of: None, upserts, deletes }
    }

    fn folded(filter: &[(&str, &str)], changes: &[ViewChange]) -> (String, String) {
        let pairs: Vec<_> =
            filter.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let filter = Filter::parse("v", &schema(), &pairs).expect("filter");
        let change = fold(&schema(), &[0], &filter, changes).expect("change");
        let text = |batch| String::from_utf8(rows::array([batch]).expect("json")).expect("utf-8");
        (text(&change.upserts), text(&change.deletes))
    }

    #[test]
    fn a_changed_row_is_put_and_a_lost_one_dropped() {
        let (upserts, deletes) = folded(&[], &[change(&[("b", 5)], &[("a", 2)])]);
        assert_eq!(upserts, r#"[{"shop":"a","units":2}]"#);
        assert_eq!(deletes, r#"[{"shop":"b"}]"#);
    }

    #[test]
    fn epochs_fold_into_their_outcome() {
        let epochs = [
            change(&[], &[("a", 2)]),
            change(&[("a", 2)], &[]),
            change(&[], &[("a", 3), ("b", 1)]),
            change(&[("b", 1)], &[]),
        ];
        let (upserts, deletes) = folded(&[], &epochs);
        assert_eq!(upserts, r#"[{"shop":"a","units":3}]"#);
        assert_eq!(deletes, r#"[{"shop":"b"}]"#);
    }

    #[test]
    fn a_row_that_leaves_the_filter_is_dropped() {
        let epoch = [change(&[], &[("a", 2)])];
        let dropped = ("[]".to_owned(), r#"[{"shop":"a"}]"#.to_owned());
        assert_eq!(folded(&[("units", "1")], &epoch), dropped);
        let put = (r#"[{"shop":"a","units":2}]"#.to_owned(), "[]".to_owned());
        assert_eq!(folded(&[("units", "2")], &epoch), put);
    }

    #[test]
    fn not_even_the_key_of_a_row_under_another_key_filter_is_told() {
        let epoch = [change(&[("b", 5)], &[("c", 2)])];
        assert_eq!(folded(&[("shop", "a")], &epoch), ("[]".to_owned(), "[]".to_owned()));
    }
}
