//! Rows as text and floats, to be counted and compared.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use millrace_engine::Delta;

use crate::Result;

/// Stands in a row's text for a 64-bit float.
pub(crate) const DOUBLE: char = '\u{1}';
/// Stands in a row's text for a float of 32 bits or fewer.
pub(crate) const SINGLE: char = '\u{2}';
const NULL: &str = "\u{3}";
const SEPARATOR: char = '\u{1f}';

/// A row: everything but floats as text, and the floats (as bits, −0 as 0, one NaN) in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Row {
    pub text: String,
    pub floats: Vec<u64>,
}

impl Row {
    /// The row as people read it.
    pub fn display(&self) -> String {
        let mut floats = self.floats.iter().map(|bits| f64::from_bits(*bits));
        let mut shown = String::from("(");
        for character in self.text.chars() {
            match character {
                DOUBLE | SINGLE => {
                    let value = floats.next().unwrap_or(f64::NAN);
                    write!(shown, "{value:?}").expect("text can be written to");
                }
                '\u{3}' => shown.push_str("null"),
                SEPARATOR => shown.push_str(", "),
                other => shown.push(other),
            }
        }
        shown + ")"
    }
}

/// How often each row is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(pub HashMap<Row, i64>);

impl Tally {
    pub fn of<'a>(batches: impl IntoIterator<Item = &'a RecordBatch>) -> Result<Self> {
        let mut tally = Self::default();
        batches.into_iter().try_for_each(|batch| tally.count(batch, |_| 1, false))?;
        Ok(tally)
    }

    /// The same with the elements of every list put in one order.
    pub fn without_list_order<'a>(
        batches: impl IntoIterator<Item = &'a RecordBatch>,
    ) -> Result<Self> {
        let mut tally = Self::default();
        batches.into_iter().try_for_each(|batch| tally.count(batch, |_| 1, true))?;
        Ok(tally)
    }

    /// Adds the rows of a change by their weights.
    pub fn add(&mut self, delta: &Delta) -> Result<()> {
        self.count(&delta.batch, |row| delta.weight(row), false)
    }

    fn count(
        &mut self,
        batch: &RecordBatch,
        weight: impl Fn(usize) -> i64,
        sorts_lists: bool,
    ) -> Result<()> {
        for (at, row) in rows_of(batch, sorts_lists)?.into_iter().enumerate() {
            *self.0.entry(row).or_default() += weight(at);
        }
        self.0.retain(|_, count| *count != 0);
        Ok(())
    }

    pub fn num_rows(&self) -> i64 {
        self.0.values().sum()
    }
}

/// The rows of a batch, in their order.
pub(crate) fn rows_of(batch: &RecordBatch, sorts_lists: bool) -> Result<Vec<Row>> {
    let columns = batch.columns().iter().map(plain).collect::<Result<Vec<_>>>()?;
    let options = FormatOptions::default().with_display_error(true);
    let encoders =
        columns.iter().map(|column| Encoder::new(column, &options)).collect::<Result<Vec<_>>>()?;
    let row = |at: usize| {
        let mut row = Row { text: String::new(), floats: Vec::new() };
        for (column, encoder) in encoders.iter().enumerate() {
            if column > 0 {
                row.text.push(SEPARATOR);
            }
            encoder.write(at, sorts_lists, &mut row);
        }
        row
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

/// The same values in fewer types: no dictionaries, one kind of list, one kind of float.
fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Dictionary(_, values) => plain(&cast(array, values)?)?,
        DataType::RunEndEncoded(_, values) => plain(&cast(array, values.data_type())?)?,
        DataType::Float16 => cast(array, &DataType::Float32)?,
        DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item) => plain(&cast(array, &DataType::List(Arc::clone(item)))?)?,
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let values = plain(list.values())?;
            let item = Arc::new(Field::new("item", values.data_type().clone(), true));
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(item, offsets, values, nulls)?)
        }
        DataType::Map(_, _) => {
            let map = array.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let values = plain(&entries)?;
            let item = Arc::new(Field::new("item", values.data_type().clone(), true));
            let (offsets, nulls) = (map.offsets().clone(), map.nulls().cloned());
            Arc::new(ListArray::try_new(item, offsets, values, nulls)?)
        }
        DataType::Struct(fields) if !fields.is_empty() => {
            let parts = array.as_struct();
            let columns = parts.columns().iter().map(plain).collect::<Result<Vec<_>>>()?;
            let fields = fields
                .iter()
                .zip(&columns)
                .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true));
            let fields = fields.collect::<Vec<_>>().into();
            Arc::new(StructArray::try_new(fields, columns, parts.nulls().cloned())?)
        }
        _ => Arc::clone(array),
    })
}

/// Writes the values of one column.
enum Encoder<'a> {
    Float(&'a dyn Array, arrow::array::Float64Array, char),
    List(&'a ListArray, Box<Encoder<'a>>),
    Struct(&'a StructArray, Vec<Encoder<'a>>),
    Text(&'a dyn Array, ArrayFormatter<'a>),
}

impl<'a> Encoder<'a> {
    fn new(array: &'a dyn Array, options: &'a FormatOptions<'a>) -> Result<Self> {
        Ok(match array.data_type() {
            DataType::Float32 | DataType::Float64 => {
                let is_double = array.data_type() == &DataType::Float64;
                let values = cast(array, &DataType::Float64)?;
                let mark = if is_double { DOUBLE } else { SINGLE };
                Self::Float(array, values.as_primitive::<Float64Type>().clone(), mark)
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Self::List(list, Box::new(Self::new(list.values(), options)?))
            }
            DataType::Struct(fields) if !fields.is_empty() => {
                let parts = array.as_struct();
                let columns = parts.columns().iter().map(|column| Self::new(column, options));
                Self::Struct(parts, columns.collect::<Result<Vec<_>>>()?)
            }
            _ => Self::Text(array, ArrayFormatter::try_new(array, options)?),
        })
    }

    fn is_null(&self, at: usize) -> bool {
        match self {
            Self::Float(array, _, _) | Self::Text(array, _) => array.is_null(at),
            Self::List(array, _) => array.is_null(at),
            Self::Struct(array, _) => array.is_null(at),
        }
    }

    fn write(&self, at: usize, sorts_lists: bool, row: &mut Row) {
        if self.is_null(at) {
            row.text.push_str(NULL);
            return;
        }
        match self {
            Self::Float(_, values, mark) => {
                row.text.push(*mark);
                row.floats.push(float_bits(values.value(at)));
            }
            Self::Text(_, formatter) => {
                write!(row.text, "{}", formatter.value(at)).expect("text can be written to");
            }
            Self::List(list, values) => {
                let offsets = list.value_offsets();
                let mut items: Vec<Row> = (offsets[at]..offsets[at + 1])
                    .map(|item| {
                        let mut row = Row { text: String::new(), floats: Vec::new() };
                        values.write(item as usize, sorts_lists, &mut row);
                        row
                    })
                    .collect();
                if sorts_lists {
                    items.sort();
                }
                row.text.push('[');
                for (place, item) in items.into_iter().enumerate() {
                    if place > 0 {
                        row.text.push(SEPARATOR);
                    }
                    row.text.push_str(&item.text);
                    row.floats.extend(item.floats);
                }
                row.text.push(']');
            }
            Self::Struct(_, columns) => {
                row.text.push('{');
                for (place, column) in columns.iter().enumerate() {
                    if place > 0 {
                        row.text.push(SEPARATOR);
                    }
                    column.write(at, sorts_lists, row);
                }
                row.text.push('}');
            }
        }
    }
}

/// Bits that are equal where the comparison takes floats for the same: −0 as 0, one NaN.
fn float_bits(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else if value == 0.0 {
        0
    } else {
        value.to_bits()
    }
}
