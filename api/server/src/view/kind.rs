//! What a column's type is called in answers.

use arrow::datatypes::DataType;

/// `text`, `integer`, `decimal(18,2)`, `date`, `timestamp` …
pub(crate) fn name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => "float".to_owned(),
        DataType::Decimal128(digits, scale) => format!("decimal({digits},{scale})"),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(..) => "timestamp".to_owned(),
        DataType::List(field) | DataType::LargeList(field) => {
            format!("list<{}>", name(field.data_type()))
        }
        DataType::Struct(_) => "struct".to_owned(),
        DataType::Dictionary(_, values) => name(values),
        data_type if data_type.is_integer() => "integer".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}
