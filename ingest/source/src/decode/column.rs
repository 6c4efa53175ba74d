//! Growing columns that can be cut back, since an event may turn out to be undecodable half way.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Int32Array,
    Int64Array, ListArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, FieldRef, Fields as ArrowFields};
use arrow::error::ArrowError;

use super::scan::Scanner;
use super::{Result, Undecodable, text};

type Arrow<T> = std::result::Result<T, ArrowError>;

/// What a text has to be.
#[derive(Debug)]
pub(super) enum Form {
    Any,
    Uuid,
    Word(Vec<Box<[u8]>>),
}

#[derive(Debug)]
pub(super) struct Text {
    form: Form,
    offsets: Vec<i32>,
    bytes: Vec<u8>,
}

/// One column of values, as many as there are rows.
#[derive(Debug)]
pub(super) enum Column {
    Text(Text),
    Decimal { values: Vec<i128>, precision: u8, scale: u8 },
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Bool(BooleanBufferBuilder),
    List { field: FieldRef, offsets: Vec<i32>, item: Box<Field> },
    Record(Fields),
}

/// A named column; one without validity holds no nulls.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// What compact JSON writes between the value before and this one: `,"name":`.
    pub(super) member: Vec<u8>,
    pub(super) validity: Option<BooleanBufferBuilder>,
    pub(super) column: Column,
}

/// The fields of a record, in the order their writer writes them.
#[derive(Debug)]
pub(super) struct Fields {
    fields: Vec<Field>,
    rows: usize,
}

impl Text {
    pub(super) fn new(form: Form) -> Self {
        Self { form, offsets: vec![0], bytes: Vec::new() }
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.close();
    }

    #[inline]
    fn close(&mut self) {
        let end =
            i32::try_from(self.bytes.len()).expect("an epoch's bytes are bounded below 2 GiB");
        self.offsets.push(end);
    }

    #[inline]
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>, scratch: &mut String) -> Result<()> {
        if matches!(self.form, Form::Uuid)
            && let Some([b'"', id @ .., b'"']) = scanner.rest().first_chunk::<38>()
            && text::is_canonical_uuid(id)
        {
            self.push(id);
            scanner.advance(38);
            return Ok(());
        }
        let content = scanner.string(scratch)?;
        match &self.form {
            Form::Any => {}
            Form::Word(words) => {
                if !words.iter().any(|word| **word == *content.as_bytes()) {
                    return Err(Undecodable::new(format!("{content:?} is none of its words")));
                }
            }
            Form::Uuid => {
                let id = uuid::Uuid::try_parse(content)
                    .map_err(|_| Undecodable::new(format!("{content:?} is not a UUID")))?;
                let mut buffer = uuid::Uuid::encode_buffer();
                self.push(id.hyphenated().encode_lower(&mut buffer).as_bytes());
                return Ok(());
            }
        }
        self.push(content.as_bytes());
        Ok(())
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.offsets.truncate(rows + 1);
        self.bytes.truncate(last(&self.offsets));
    }

    pub(super) fn finish(&mut self) -> Arrow<StringArray> {
        let offsets = renew_offsets(&mut self.offsets);
        StringArray::try_new(OffsetBuffer::new(offsets.into()), renew(&mut self.bytes).into(), None)
    }
}

impl Column {
    #[inline]
    fn read(&mut self, scanner: &mut Scanner<'_>, scratch: &mut String) -> Result<()> {
        match self {
            Self::Text(text) => text.read(scanner, scratch)?,
            Self::Decimal { values, precision, scale } => {
                if scanner.peek() == Some(b'"') {
                    let content = scanner.string(scratch)?.as_bytes();
                    let (value, length) = text::decimal(content, *precision, *scale)?;
                    if length != content.len() {
                        return Err(Undecodable::new("not a number"));
                    }
                    values.push(value);
                } else {
                    let (value, length) = text::decimal(scanner.rest(), *precision, *scale)?;
                    scanner.advance(length);
                    values.push(value);
                }
            }
            Self::Date(values) => {
                values.push(text::date(scanner.string(scratch)?.as_bytes())?);
            }
            Self::Timestamp(values) => {
                values.push(text::timestamp(scanner.string(scratch)?.as_bytes())?);
            }
            Self::Int32(values) => {
                let value = integer(scanner)?;
                values.push(
                    i32::try_from(value)
                        .map_err(|_| Undecodable::new(format!("{value} does not fit 32 bits")))?,
                );
            }
            Self::Int64(values) => values.push(integer(scanner)?),
            Self::Bool(values) => {
                scanner.peek();
                let value = scanner.take_exactly(b"true");
                if !value && !scanner.take_exactly(b"false") {
                    return Err(scanner.unexpected("true or false"));
                }
                values.append(value);
            }
            Self::List { offsets, item, .. } => {
                scanner.expect(b'[')?;
                let first = last(offsets);
                let mut count = 0;
                if !scanner.take(b']') {
                    loop {
                        item.read(scanner, scratch)
                            .map_err(|error| error.within(&format!("[{count}]")))?;
                        count += 1;
                        if !scanner.more(b']')? {
                            break;
                        }
                    }
                }
                let end =
                    i32::try_from(first + count).expect("an epoch's bytes are bounded below 2 GiB");
                offsets.push(end);
            }
            Self::Record(fields) => fields.read(scanner, scratch)?,
        }
        Ok(())
    }

    fn push_null(&mut self) {
        match self {
            Self::Text(text) => text.close(),
            Self::Decimal { values, .. } => values.push(0),
            Self::Date(values) | Self::Int32(values) => values.push(0),
            Self::Timestamp(values) | Self::Int64(values) => values.push(0),
            Self::Bool(values) => values.append(false),
            Self::List { offsets, .. } => offsets.push(last(offsets) as i32),
            Self::Record(fields) => {
                fields.fields.iter_mut().for_each(Field::push_null);
                fields.rows += 1;
            }
        }
    }

    fn truncate(&mut self, rows: usize) {
        match self {
            Self::Text(text) => text.truncate(rows),
            Self::Decimal { values, .. } => values.truncate(rows),
            Self::Date(values) | Self::Int32(values) => values.truncate(rows),
            Self::Timestamp(values) | Self::Int64(values) => values.truncate(rows),
            Self::Bool(values) => {
                if values.len() > rows {
                    values.truncate(rows);
                }
            }
            Self::List { offsets, item, .. } => {
                offsets.truncate(rows + 1);
                item.truncate(last(offsets));
            }
            Self::Record(fields) => fields.truncate(rows),
        }
    }

    fn finish(&mut self, nulls: Option<NullBuffer>) -> Arrow<ArrayRef> {
        Ok(match self {
            Self::Text(text) => {
                let (offsets, bytes, _) = text.finish()?.into_parts();
                Arc::new(StringArray::try_new(offsets, bytes, nulls)?)
            }
            Self::Decimal { values, precision, scale } => Arc::new(
                Decimal128Array::try_new(renew(values).into(), nulls)?
                    .with_precision_and_scale(*precision, scale.cast_signed())?,
            ),
            Self::Date(values) => Arc::new(Date32Array::try_new(renew(values).into(), nulls)?),
            Self::Timestamp(values) => Arc::new(
                TimestampMicrosecondArray::try_new(renew(values).into(), nulls)?
                    .with_timezone("UTC"),
            ),
            Self::Int32(values) => Arc::new(Int32Array::try_new(renew(values).into(), nulls)?),
            Self::Int64(values) => Arc::new(Int64Array::try_new(renew(values).into(), nulls)?),
            Self::Bool(values) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            Self::List { field, offsets, item } => Arc::new(ListArray::try_new(
                field.clone(),
                OffsetBuffer::new(renew_offsets(offsets).into()),
                item.finish()?,
                nulls,
            )?),
            Self::Record(fields) => {
                let rows = fields.rows;
                let arrays = fields.finish()?;
                Arc::new(StructArray::try_new_with_length(
                    fields.arrow(&arrays),
                    arrays,
                    nulls,
                    rows,
                )?)
            }
        })
    }
}

impl Field {
    #[inline]
    fn read(&mut self, scanner: &mut Scanner<'_>, scratch: &mut String) -> Result<()> {
        if let Some(validity) = &mut self.validity {
            if scanner.take_null() {
                self.column.push_null();
                validity.append(false);
                return Ok(());
            }
            validity.append(true);
        }
        self.column.read(scanner, scratch)
    }

    fn push_null(&mut self) {
        self.column.push_null();
        if let Some(validity) = &mut self.validity {
            validity.append(false);
        }
    }

    fn truncate(&mut self, rows: usize) {
        if let Some(validity) = &mut self.validity
            && validity.len() > rows
        {
            validity.truncate(rows);
        }
        self.column.truncate(rows);
    }

    fn finish(&mut self) -> Arrow<ArrayRef> {
        let nulls = self.validity.as_mut().map(|validity| NullBuffer::new(validity.finish()));
        self.column.finish(nulls.filter(|nulls| nulls.null_count() > 0))
    }
}

impl Fields {
    pub(super) fn new(fields: Vec<Field>) -> Self {
        assert!(fields.len() <= 64, "a record has at most 64 fields: one bit each");
        Self { fields, rows: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Reads one object as one row. After an error the columns may differ in length: cut back.
    #[inline]
    pub(super) fn read(&mut self, scanner: &mut Scanner<'_>, scratch: &mut String) -> Result<()> {
        scanner.expect(b'{')?;
        let mut seen: u64 = 0;
        let mut next = 0;
        let mut is_first = true;
        loop {
            // Writers keep the order of fields: most often the next one is the one expected.
            let found = match self.fields.get(next) {
                Some(field) if scanner.take_exactly(&field.member[usize::from(is_first)..]) => {
                    Some(next)
                }
                _ if is_first && scanner.take(b'}') => break,
                _ if !is_first && !scanner.more(b'}')? => break,
                _ => self.find(scanner, scratch)?,
            };
            is_first = false;
            match found {
                Some(index) => {
                    let field = &mut self.fields[index];
                    if seen & (1 << index) != 0 {
                        return Err(Undecodable::new("given twice").within(&field.name));
                    }
                    seen |= 1 << index;
                    if let Err(error) = field.read(scanner, scratch) {
                        return Err(error.within(&field.name));
                    }
                    next = index + 1;
                }
                None => scanner.skip(scratch)?,
            }
        }
        if seen.count_ones() as usize != self.fields.len() {
            self.fill_missing(seen)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes a key and its colon.
    #[cold]
    fn find(&mut self, scanner: &mut Scanner<'_>, scratch: &mut String) -> Result<Option<usize>> {
        let key = scanner.string(scratch)?;
        let found = self.fields.iter().position(|field| field.name == key);
        scanner.expect(b':')?;
        Ok(found)
    }

    #[cold]
    fn fill_missing(&mut self, seen: u64) -> Result<()> {
        for (index, field) in self.fields.iter_mut().enumerate() {
            if seen & (1 << index) != 0 {
                continue;
            }
            if field.validity.is_none() {
                return Err(Undecodable::new("missing").within(&field.name));
            }
            field.push_null();
        }
        Ok(())
    }

    pub(super) fn truncate(&mut self, rows: usize) {
        self.fields.iter_mut().for_each(|field| field.truncate(rows));
        self.rows = rows;
    }

    /// All rows as arrays, in the order of the fields; the columns are empty afterwards.
    pub(super) fn finish(&mut self) -> Arrow<Vec<ArrayRef>> {
        self.rows = 0;
        self.fields.iter_mut().map(Field::finish).collect()
    }

    fn arrow(&self, arrays: &[ArrayRef]) -> ArrowFields {
        self.fields
            .iter()
            .zip(arrays)
            .map(|(field, array)| {
                let data_type: DataType = array.data_type().clone();
                arrow::datatypes::Field::new(&field.name, data_type, field.validity.is_some())
            })
            .collect()
    }
}

#[inline]
fn integer(scanner: &mut Scanner<'_>) -> Result<i64> {
    scanner.peek();
    let (value, length) = text::integer(scanner.rest())?;
    scanner.advance(length);
    Ok(value)
}

#[inline]
fn last(offsets: &[i32]) -> usize {
    offsets.last().map_or(0, |end| *end as usize)
}

/// The values, leaving an empty vector with room for as many again.
fn renew<T>(values: &mut Vec<T>) -> Vec<T> {
    let room = Vec::with_capacity(values.len());
    std::mem::replace(values, room)
}

fn renew_offsets(offsets: &mut Vec<i32>) -> Vec<i32> {
    let done = renew(offsets);
    offsets.push(0);
    done
}
