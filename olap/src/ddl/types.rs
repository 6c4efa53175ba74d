//! ClickHouse's name for an Arrow type.

use arrow::datatypes::{DataType, Field, TimeUnit};

use super::quote;
use crate::{Error, Result};

/// The type of a column, nullable where the field is; lists and structs never are.
pub(super) fn of(mart: &str, field: &Field) -> Result<String> {
    let name = match field.data_type() {
        DataType::List(item) => return Ok(format!("Array({})", of(mart, item)?)),
        DataType::Struct(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| Ok(format!("{} {}", quote(field.name()), of(mart, field)?)))
                .collect::<Result<_>>()?;
            return Ok(format!("Tuple({})", fields.join(", ")));
        }
        DataType::Utf8 => "String".to_owned(),
        DataType::Boolean => "Bool".to_owned(),
        DataType::Int32 => "Int32".to_owned(),
        DataType::Int64 => "Int64".to_owned(),
        DataType::UInt64 => "UInt64".to_owned(),
        DataType::Float64 => "Float64".to_owned(),
        DataType::Date32 => "Date32".to_owned(),
        DataType::Decimal128(digits, scale) => format!("Decimal({digits}, {scale})"),
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            format!("DateTime64(6, '{zone}')")
        }
        other => {
            return Err(Error::Type {
                mart: mart.to_owned(),
                column: field.name().clone(),
                data_type: other.to_string(),
            });
        }
    };
    Ok(if field.is_nullable() { format!("Nullable({name})") } else { name })
}
