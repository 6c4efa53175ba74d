//! From the catalogue's description of a payload to the columns it is decoded into.

use arrow::array::BooleanBufferBuilder;
use arrow::datatypes::{DataType, Field as ArrowField, TimeUnit};
use serde_json::Value;

use super::column::{Column, Field, Fields, Form, Text};

/// Columns for these Arrow fields. The JSON schema (of an object with properties of these names)
/// tells ids and words from other text.
pub(super) fn fields<'a>(
    arrow: impl IntoIterator<Item = &'a ArrowField>,
    object: &Value,
) -> Fields {
    Fields::new(
        arrow.into_iter().map(|field| plan(field, &object["properties"][field.name()])).collect(),
    )
}

fn plan(field: &ArrowField, schema: &Value) -> Field {
    Field {
        name: field.name().clone(),
        member: format!(",\"{}\":", field.name()).into_bytes(),
        validity: field.is_nullable().then(|| BooleanBufferBuilder::new(0)),
        column: column(field.data_type(), not_null(schema)),
    }
}

/// The schema of an optional field without its `null`.
fn not_null(schema: &Value) -> &Value {
    match schema["anyOf"].as_array() {
        Some(options) => {
            options.iter().find(|option| option["type"] != "null").unwrap_or(&Value::Null)
        }
        None => schema,
    }
}

fn column(data_type: &DataType, schema: &Value) -> Column {
    match data_type {
        DataType::Utf8 => Column::Text(Text::new(form(schema))),
        DataType::Boolean => Column::Bool(BooleanBufferBuilder::new(0)),
        DataType::Int32 => Column::Int32(Vec::new()),
        DataType::Int64 => Column::Int64(Vec::new()),
        DataType::Date32 => Column::Date(Vec::new()),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if zone.as_ref() == "UTC" => {
            Column::Timestamp(Vec::new())
        }
        DataType::Decimal128(precision, scale @ 0..) => Column::Decimal {
            values: Vec::new(),
            precision: *precision,
            scale: scale.unsigned_abs(),
        },
        DataType::List(item) => Column::List {
            field: item.clone(),
            offsets: vec![0],
            item: Box::new(plan(item, &schema["items"])),
        },
        DataType::Struct(inner) => Column::Record(fields(inner.iter().map(AsRef::as_ref), schema)),
        other => unreachable!("the vocabulary has no type that is {other} in Arrow"),
    }
}

fn form(schema: &Value) -> Form {
    if schema["format"] == "uuid" {
        return Form::Uuid;
    }
    match schema["enum"].as_array() {
        Some(words) => Form::Word(
            words.iter().filter_map(Value::as_str).map(|word| word.as_bytes().into()).collect(),
        ),
        None => Form::Any,
    }
}
