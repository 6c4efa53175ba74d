//! One page of a view's rows: filtered, sorted, cut out.

use arrow::array::RecordBatch;
use arrow::compute::{
    SortColumn, SortOptions, concat_batches, lexsort_to_indices, take_record_batch,
};
use arrow::datatypes::SchemaRef;

use super::filter::{Filter, column_index};
use crate::Error;

pub(crate) const LIMIT_DEFAULT: usize = 100;
pub(crate) const LIMIT_MAX: usize = 1_000;
const SORTS_MAX: usize = 4;

/// A column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sort {
    column: usize,
    is_descending: bool,
}

/// Which rows of the filtered and sorted view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// The first page is 1.
    pub page: usize,
    pub limit: usize,
}

impl Window {
    /// # Errors
    /// [`Error::WindowRange`] when the page is 0 or the limit is not in 1 … [`LIMIT_MAX`].
    pub(crate) fn new(page: Option<usize>, limit: Option<usize>) -> Result<Self, Error> {
        let page = page.unwrap_or(1);
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if page == 0 {
            return Err(Error::WindowRange { field: "page", least: 1, most: None });
        }
        if limit == 0 || limit > LIMIT_MAX {
            return Err(Error::WindowRange { field: "limit", least: 1, most: Some(LIMIT_MAX) });
        }
        Ok(Self { page, limit })
    }

    fn start(self) -> usize {
        (self.page - 1).saturating_mul(self.limit)
    }
}

/// Reads `column:desc,other:asc`, then adds the key so that pages don't overlap among equals.
///
/// # Errors
/// [`Error::ColumnUnknown`], [`Error::SortUnreadable`].
pub(crate) fn sorts(
    view: &str,
    schema: &SchemaRef,
    text: Option<&str>,
    key: &[String],
) -> Result<Vec<Sort>, Error> {
    let mut sorts: Vec<Sort> = Vec::new();
    for part in text.unwrap_or_default().split(',').filter(|part| !part.is_empty()) {
        let (name, direction) = part.split_once(':').unwrap_or((part, "asc"));
        let is_descending = match direction {
            "asc" => false,
            "desc" => true,
            _ => return Err(Error::SortUnreadable { value: part.to_owned() }),
        };
        sorts.push(Sort { column: column_index(view, schema, name)?, is_descending });
    }
    if sorts.len() > SORTS_MAX {
        return Err(Error::SortUnreadable { value: text.unwrap_or_default().to_owned() });
    }
    for name in key {
        let column = column_index(view, schema, name)?;
        if sorts.iter().all(|sort| sort.column != column) {
            sorts.push(Sort { column, is_descending: false });
        }
    }
    Ok(sorts)
}

/// The rows of one page and the number of rows on all pages.
pub(crate) fn cut(
    schema: &SchemaRef,
    batches: &[RecordBatch],
    filter: &Filter,
    sorts: &[Sort],
    window: Window,
) -> Result<(RecordBatch, usize), Error> {
    let kept = batches.iter().map(|batch| filter.apply(batch)).collect::<Result<Vec<_>, _>>()?;
    let rows = concat_batches(schema, &kept)?;
    let total = rows.num_rows();
    let start = window.start().min(total);
    let length = window.limit.min(total - start);
    if sorts.is_empty() || length == 0 {
        return Ok((rows.slice(start, length), total));
    }
    let columns: Vec<_> = sorts
        .iter()
        .map(|sort| SortColumn {
            values: rows.column(sort.column).clone(),
            options: Some(SortOptions { descending: sort.is_descending, nulls_first: false }),
        })
        .collect();
    let order = lexsort_to_indices(&columns, Some(start + length))?;
    Ok((take_record_batch(&rows, &order.slice(start, length))?, total))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    #[test]
    fn pages_follow_one_another_in_order_without_overlap() {
        let schema: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("units", DataType::Int64, false),
        ]));
        let batch = |ids: Vec<&str>, units: Vec<i64>| {
            let columns: Vec<arrow::array::ArrayRef> =
                vec![Arc::new(StringArray::from(ids)), Arc::new(Int64Array::from(units))];
            RecordBatch::try_new(Arc::clone(&schema), columns).expect("batch")
        };
        let batches =
            [batch(vec!["d", "a"], vec![7, 7]), batch(vec!["c", "b", "e"], vec![9, 7, 1])];
        let sorts = sorts("v", &schema, Some("units:desc"), &["id".to_owned()]).expect("sorts");
        let mut ids = Vec::new();
        for page in 1..=4 {
            let window = Window::new(Some(page), Some(2)).expect("window");
            let (rows, total) =
                cut(&schema, &batches, &Filter::default(), &sorts, window).expect("page");
            assert_eq!(total, 5);
            ids.extend(rows.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
            assert!(rows.column(1).as_primitive::<Int64Type>().len() <= 2);
        }
        assert_eq!(ids, ["c", "a", "b", "d", "e"]);
    }

    #[test]
    fn windows_outside_the_bounds_are_refused() {
        assert!(Window::new(Some(0), None).is_err());
        assert!(Window::new(None, Some(LIMIT_MAX + 1)).is_err());
    }
}
