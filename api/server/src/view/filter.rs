//! `?column=value` as a predicate over Arrow rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, Scalar, StringArray};
use arrow::compute::and;
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{
    CastOptions, cast_with_options, filter_record_batch, or, prep_null_mask_filter,
};
use arrow::datatypes::{DataType, SchemaRef};

use super::kind;
use crate::Error;

/// More values than this for one column are refused.
const VALUES_MAX: usize = 200;

/// Rows whose columns each have one of the values given for them. Empty: every row.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    column: usize,
    /// Arrays of one value each, of the column's type.
    values: Vec<ArrayRef>,
}

impl Filter {
    /// Reads the pairs of a query string. A column named twice may have either value.
    ///
    /// # Errors
    /// [`Error::ColumnUnknown`] naming the columns there are, [`Error::ValueUnreadable`],
    /// [`Error::ValuesTooMany`].
    pub(crate) fn parse(
        view: &str,
        schema: &SchemaRef,
        pairs: &[(String, String)],
    ) -> Result<Self, Error> {
        let mut by_column: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for (name, value) in pairs {
            let column = column_index(view, schema, name)?;
            by_column.entry(column).or_default().push(value);
        }
        let mut filter = Self::default();
        for (column, values) in by_column {
            filter.require(schema, column, &values)?;
        }
        Ok(filter)
    }

    /// Adds the condition that `column` has one of `values`; none of them: no row passes.
    pub(crate) fn require(
        &mut self,
        schema: &SchemaRef,
        column: usize,
        values: &[&str],
    ) -> Result<(), Error> {
        let field = schema.field(column);
        if values.len() > VALUES_MAX {
            return Err(Error::ValuesTooMany { column: field.name().clone(), most: VALUES_MAX });
        }
        let values = values
            .iter()
            .map(|text| typed(field.name(), field.data_type(), text))
            .collect::<Result<_, _>>()?;
        self.terms.push(Term { column, values });
        Ok(())
    }

    /// The part of it that is about `columns`.
    pub(crate) fn on(&self, columns: &[usize]) -> Self {
        let terms = self.terms.iter().filter(|term| columns.contains(&term.column));
        Self { terms: terms.cloned().collect() }
    }

    /// Which rows pass; `None` when all do.
    pub(crate) fn mask(&self, batch: &RecordBatch) -> Result<Option<BooleanArray>, Error> {
        let mut mask: Option<BooleanArray> = None;
        for term in &self.terms {
            let column = batch.column(term.column);
            let mut either = BooleanArray::from(vec![false; batch.num_rows()]);
            for value in &term.values {
                let equal = eq(column, &Scalar::new(Arc::clone(value)))?;
                let equal =
                    if equal.null_count() > 0 { prep_null_mask_filter(&equal) } else { equal };
                either = or(&either, &equal)?;
            }
            mask = Some(match mask {
                Some(mask) => and(&mask, &either)?,
                None => either,
            });
        }
        Ok(mask)
    }

    /// The rows that pass.
    pub(crate) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, Error> {
        match self.mask(batch)? {
            Some(mask) => Ok(filter_record_batch(batch, &mask)?),
            None => Ok(batch.clone()),
        }
    }
}

/// The place of a column.
pub(crate) fn column_index(view: &str, schema: &SchemaRef, name: &str) -> Result<usize, Error> {
    schema.index_of(name).map_err(|_| Error::ColumnUnknown {
        view: view.to_owned(),
        column: name.to_owned(),
        allowed: schema.fields().iter().map(|field| field.name().clone()).collect(),
    })
}

fn typed(column: &str, data_type: &DataType, text: &str) -> Result<ArrayRef, Error> {
    let unreadable = || Error::ValueUnreadable {
        column: column.to_owned(),
        value: text.to_owned(),
        kind: kind::name(data_type),
    };
    // Arrow would round a decimal to the column's scale, and then other rows would match.
    if let DataType::Decimal128(_, scale) = data_type {
        let places = text.split_once('.').map_or("", |(_, places)| places).trim_end_matches('0');
        if places.len() > usize::try_from(*scale).unwrap_or(0) {
            return Err(unreadable());
        }
    }
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    let typed = cast_with_options(&StringArray::from(vec![text]), data_type, &strict)
        .map_err(|_| unreadable())?;
    if typed.is_null(0) { Err(unreadable()) } else { Ok(typed) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Decimal128Array};
    use arrow::datatypes::{Field, Schema};

    fn sales() -> RecordBatch {
        let schema = Schema::new(vec![
            Field::new("shop_id", DataType::Utf8, false),
            Field::new("business_date", DataType::Date32, true),
            Field::new("revenue", DataType::Decimal128(18, 2), false),
        ]);
        let revenue = Decimal128Array::from(vec![150_000, 20, 150_000]);
        RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(StringArray::from(vec!["a", "b", "c"])),
                Arc::new(Date32Array::from(vec![Some(20_000), None, Some(20_000)])),
                Arc::new(revenue.with_precision_and_scale(18, 2).expect("scale")),
            ],
        )
        .expect("batch")
    }

    fn rows_of(query: &[(&str, &str)]) -> Result<usize, Error> {
        let pairs: Vec<_> =
            query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let batch = sales();
        Ok(Filter::parse("v", &batch.schema(), &pairs)?.apply(&batch)?.num_rows())
    }

    #[test]
    fn values_are_read_as_the_columns_type() {
        assert_eq!(rows_of(&[]).expect("all"), 3);
        assert_eq!(rows_of(&[("revenue", "1500")]).expect("decimal"), 2);
        assert_eq!(rows_of(&[("revenue", "1500.00"), ("shop_id", "a")]).expect("both"), 1);
        assert_eq!(rows_of(&[("shop_id", "a"), ("shop_id", "b")]).expect("either"), 2);
        assert_eq!(rows_of(&[("business_date", "2024-10-04")]).expect("date"), 2);
    }

    #[test]
    fn what_is_no_value_of_the_column_is_refused() {
        assert!(matches!(rows_of(&[("revenue", "0.205")]), Err(Error::ValueUnreadable { .. })));
        assert!(matches!(
            rows_of(&[("business_date", "soon")]),
            Err(Error::ValueUnreadable { .. })
        ));
        let unknown = rows_of(&[("shop", "a")]).expect_err("unknown").to_string();
        assert!(unknown.contains("shop_id, business_date, revenue"), "{unknown}");
    }
}
