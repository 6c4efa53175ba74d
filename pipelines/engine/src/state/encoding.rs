//! Rows as bytes: equal rows give equal bytes, and the columns can be had back.
//!
//! The common types are written plainly (a byte for null, then the value; text with its length in front),
//! which is several times faster than an order-preserving form. Rows holding any other type take
//! `arrow::row`.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, BooleanArray, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use foldhash::quality::FixedState;

use crate::Result;

/// How the values of one column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Fixed(usize),
    Boolean,
    Text,
}

#[derive(Debug)]
enum Codec {
    Plain(Vec<Form>),
    Ordered(RowConverter),
}

/// Writes and reads rows of fixed column types.
#[derive(Debug)]
pub(crate) struct RowEncoding {
    types: Vec<DataType>,
    codec: Codec,
}

/// Rows as bytes, one after the other, with their hashes.
#[derive(Debug, Default)]
pub(crate) struct EncodedRows {
    bytes: Vec<u8>,
    /// Where each row ends.
    ends: Vec<usize>,
    pub hashes: Vec<u64>,
}

impl EncodedRows {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn row(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }
}

/// Hash of an encoded row. Never leaves the process.
pub(crate) fn hash_row(row: &[u8]) -> u64 {
    FixedState::with_seed(0x9e37_79b9).hash_one(row)
}

fn form(data_type: &DataType) -> Option<Form> {
    match data_type {
        DataType::Boolean => Some(Form::Boolean),
        DataType::Utf8 => Some(Form::Text),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => None,
        other => other
            .primitive_width()
            .filter(|width| matches!(width, 1 | 2 | 4 | 8 | 16))
            .map(Form::Fixed),
    }
}

impl RowEncoding {
    pub fn new(types: Vec<DataType>) -> Result<Self> {
        let codec = match types.iter().map(form).collect::<Option<Vec<Form>>>() {
            Some(forms) => Codec::Plain(forms),
            None => Codec::Ordered(RowConverter::new(
                types.iter().cloned().map(SortField::new).collect(),
            )?),
        };
        Ok(Self { types, codec })
    }

    /// Encodes `rows` rows of `columns`.
    pub fn encode(&self, columns: &[ArrayRef], rows: usize) -> Result<EncodedRows> {
        let mut encoded = self.encode_unhashed(columns, rows)?;
        encoded.hashes = (0..rows).map(|row| hash_row(encoded.row(row))).collect();
        Ok(encoded)
    }

    /// The same without hashes.
    pub fn encode_unhashed(&self, columns: &[ArrayRef], rows: usize) -> Result<EncodedRows> {
        Ok(match &self.codec {
            Codec::Plain(forms) => encode_plain(forms, columns, rows),
            Codec::Ordered(converter) => {
                let converted = converter.convert_columns(columns)?;
                let mut encoded = EncodedRows::default();
                for row in converted.iter() {
                    encoded.bytes.extend_from_slice(row.data());
                    encoded.ends.push(encoded.bytes.len());
                }
                encoded
            }
        })
    }

    /// The columns of encoded rows.
    pub fn decode(&self, rows: &[&[u8]]) -> Result<Vec<ArrayRef>> {
        match &self.codec {
            Codec::Plain(forms) => {
                let mut cursors = vec![0; rows.len()];
                let columns = forms.iter().zip(&self.types);
                columns
                    .map(|(form, data_type)| decode_plain(*form, data_type, rows, &mut cursors))
                    .collect()
            }
            Codec::Ordered(converter) => decode_rows(converter, rows.iter().copied(), &self.types),
        }
    }
}

/// The columns of rows that `converter` has encoded. It gives the values of dictionaries plainly.
pub(crate) fn decode_rows<'a>(
    converter: &RowConverter,
    rows: impl Iterator<Item = &'a [u8]>,
    types: &[DataType],
) -> Result<Vec<ArrayRef>> {
    let parser = converter.parser();
    let columns = converter.convert_rows(rows.map(|row| parser.parse(row)))?;
    let as_declared =
        |(column, data_type): (ArrayRef, &DataType)| match column.data_type() == data_type {
            true => Ok(column),
            false => Ok(arrow::compute::cast(&column, data_type)?),
        };
    columns.into_iter().zip(types).map(as_declared).collect()
}

fn encode_plain(forms: &[Form], columns: &[ArrayRef], rows: usize) -> EncodedRows {
    let mut lengths = vec![0; rows];
    for (form, column) in forms.iter().zip(columns) {
        match form {
            Form::Fixed(width) => add_lengths(&mut lengths, column, |_| *width),
            Form::Boolean => add_lengths(&mut lengths, column, |_| 1),
            Form::Text => {
                let offsets = column.as_string::<i32>().value_offsets();
                add_lengths(&mut lengths, column, |row| {
                    4 + (offsets[row + 1] - offsets[row]) as usize
                });
            }
        }
    }
    let mut end = 0;
    let mut cursors = Vec::with_capacity(rows);
    let ends = lengths.iter().map(|length| {
        cursors.push(end);
        end += length;
        end
    });
    let ends: Vec<usize> = ends.collect();
    let mut bytes = vec![0; end];
    for (form, column) in forms.iter().zip(columns) {
        match form {
            Form::Fixed(1) => write_fixed::<1>(&mut bytes, &mut cursors, column),
            Form::Fixed(2) => write_fixed::<2>(&mut bytes, &mut cursors, column),
            Form::Fixed(4) => write_fixed::<4>(&mut bytes, &mut cursors, column),
            Form::Fixed(8) => write_fixed::<8>(&mut bytes, &mut cursors, column),
            Form::Fixed(_) => write_fixed::<16>(&mut bytes, &mut cursors, column),
            Form::Boolean => {
                let values = column.as_boolean().values();
                write_values(&mut bytes, &mut cursors, column.nulls(), |row, out| {
                    out[0] = u8::from(values.value(row));
                    1
                });
            }
            Form::Text => {
                let text = column.as_string::<i32>();
                let (offsets, values) = (text.value_offsets(), text.value_data());
                write_values(&mut bytes, &mut cursors, column.nulls(), |row, out| {
                    let value = &values[offsets[row] as usize..offsets[row + 1] as usize];
                    out[..4].copy_from_slice(&(value.len() as u32).to_le_bytes());
                    out[4..4 + value.len()].copy_from_slice(value);
                    4 + value.len()
                });
            }
        }
    }
    EncodedRows { bytes, ends, hashes: Vec::new() }
}

fn add_lengths(lengths: &mut [usize], column: &ArrayRef, length: impl Fn(usize) -> usize) {
    match column.nulls() {
        None => lengths.iter_mut().enumerate().for_each(|(row, sum)| *sum += 1 + length(row)),
        Some(nulls) => {
            for (row, sum) in lengths.iter_mut().enumerate() {
                *sum += 1 + if nulls.is_valid(row) { length(row) } else { 0 };
            }
        }
    }
}

fn write_fixed<const WIDTH: usize>(bytes: &mut [u8], cursors: &mut [usize], column: &ArrayRef) {
    let data = column.to_data();
    let values = &data.buffers()[0].as_slice()[data.offset() * WIDTH..];
    write_values(bytes, cursors, column.nulls(), |row, out| {
        out[..WIDTH].copy_from_slice(&values[row * WIDTH..row * WIDTH + WIDTH]);
        WIDTH
    });
}

/// Writes one column at the cursors of its rows: the null byte, then what `write` puts and measures.
fn write_values(
    bytes: &mut [u8],
    cursors: &mut [usize],
    nulls: Option<&NullBuffer>,
    write: impl Fn(usize, &mut [u8]) -> usize,
) {
    for (row, cursor) in cursors.iter_mut().enumerate() {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            *cursor += 1;
            continue;
        }
        let out = &mut bytes[*cursor..];
        out[0] = 1;
        *cursor += 1 + write(row, &mut out[1..]);
    }
}

fn decode_plain(
    form: Form,
    data_type: &DataType,
    rows: &[&[u8]],
    cursors: &mut [usize],
) -> Result<ArrayRef> {
    let valid: BooleanBuffer =
        rows.iter().zip(cursors.iter()).map(|(row, cursor)| row[*cursor] == 1).collect();
    let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
    let fixed = |buffer| -> Result<ArrayRef> {
        let data = ArrayData::builder(data_type.clone()).len(rows.len()).add_buffer(buffer);
        Ok(make_array(data.nulls(nulls.clone()).build()?))
    };
    match form {
        Form::Fixed(1) => fixed(Buffer::from_vec(read_fixed(rows, cursors, u8::from_le_bytes))),
        Form::Fixed(2) => fixed(Buffer::from_vec(read_fixed(rows, cursors, u16::from_le_bytes))),
        Form::Fixed(4) => fixed(Buffer::from_vec(read_fixed(rows, cursors, u32::from_le_bytes))),
        Form::Fixed(8) => fixed(Buffer::from_vec(read_fixed(rows, cursors, u64::from_le_bytes))),
        Form::Fixed(_) => fixed(Buffer::from_vec(read_fixed(rows, cursors, i128::from_le_bytes))),
        Form::Boolean => {
            let values: BooleanBuffer = read_fixed(rows, cursors, u8::from_le_bytes)
                .into_iter()
                .map(|value| value == 1)
                .collect();
            Ok(Arc::new(BooleanArray::new(values, nulls)))
        }
        Form::Text => {
            let mut values = Vec::new();
            let mut lengths = Vec::with_capacity(rows.len());
            for (row, cursor) in rows.iter().zip(cursors.iter_mut()) {
                let (valid, rest) = (row[*cursor] == 1, &row[*cursor + 1..]);
                let length = if valid { u32::from_le_bytes(fixed_bytes(rest)) as usize } else { 0 };
                if valid {
                    values.extend_from_slice(&rest[4..4 + length]);
                }
                lengths.push(length);
                *cursor += if valid { 5 + length } else { 1 };
            }
            let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
            let text =
                arrow::array::StringArray::try_new(offsets, Buffer::from_vec(values), nulls)?;
            Ok(Arc::new(text))
        }
    }
}

fn fixed_bytes<const WIDTH: usize>(bytes: &[u8]) -> [u8; WIDTH] {
    let mut value = [0; WIDTH];
    value.copy_from_slice(&bytes[..WIDTH]);
    value
}

/// Values of one column; zero where null.
fn read_fixed<const WIDTH: usize, T: Default>(
    rows: &[&[u8]],
    cursors: &mut [usize],
    read: impl Fn([u8; WIDTH]) -> T,
) -> Vec<T> {
    let values = rows.iter().zip(cursors.iter_mut()).map(|(row, cursor)| {
        let (valid, rest) = (row[*cursor] == 1, &row[*cursor + 1..]);
        *cursor += if valid { 1 + WIDTH } else { 1 };
        if valid { read(fixed_bytes(rest)) } else { T::default() }
    });
    values.collect()
}
