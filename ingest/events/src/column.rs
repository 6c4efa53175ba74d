//! How a Rust type is written in Arrow and in JSON schema.

use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// A type that can be a field of an event.
pub trait Column {
    /// Whether the field may be absent or null.
    const NULLABLE: bool = false;
    fn data_type() -> DataType;
    fn json_schema() -> Value;
}

/// One field of a record, as the catalogue shows it.
#[derive(Clone, Debug)]
pub struct ColumnSpec {
    pub name: &'static str,
    pub doc: &'static str,
    pub data_type: DataType,
    pub nullable: bool,
    pub json_schema: Value,
}

impl ColumnSpec {
    #[must_use]
    pub fn of<T: Column>(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            doc: doc.trim(),
            data_type: T::data_type(),
            nullable: T::NULLABLE,
            json_schema: T::json_schema(),
        }
    }

    #[must_use]
    pub fn field(&self) -> Field {
        Field::new(self.name, self.data_type.clone(), self.nullable)
    }
}

/// The JSON schema of an object with these fields; what is not listed is allowed and ignored.
#[must_use]
pub fn object_schema(columns: &[ColumnSpec]) -> Value {
    let properties: serde_json::Map<String, Value> = columns
        .iter()
        .map(|column| {
            let mut schema = column.json_schema.clone();
            if let (Some(object), false) = (schema.as_object_mut(), column.doc.is_empty()) {
                object.insert("description".into(), column.doc.into());
            }
            (column.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> =
        columns.iter().filter(|column| !column.nullable).map(|column| column.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

#[must_use]
pub fn struct_type(columns: &[ColumnSpec]) -> DataType {
    DataType::Struct(columns.iter().map(ColumnSpec::field).collect::<Fields>())
}

macro_rules! plain {
    ($type:ty, $data_type:expr, $schema:tt) => {
        impl Column for $type {
            fn data_type() -> DataType {
                $data_type
            }
            fn json_schema() -> Value {
                json!($schema)
            }
        }
    };
}

plain!(String, DataType::Utf8, {"type": "string"});
plain!(bool, DataType::Boolean, {"type": "boolean"});
plain!(i32, DataType::Int32, {"type": "integer", "format": "int32"});
plain!(i64, DataType::Int64, {"type": "integer", "format": "int64"});
plain!(Uuid, DataType::Utf8, {"type": "string", "format": "uuid"});
plain!(NaiveDate, DataType::Date32, {"type": "string", "format": "date"});
plain!(
    DateTime<Utc>,
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
    {"type": "string", "format": "date-time"}
);

impl<T: Column> Column for Option<T> {
    const NULLABLE: bool = true;
    fn data_type() -> DataType {
        T::data_type()
    }
    fn json_schema() -> Value {
        json!({"anyOf": [T::json_schema(), {"type": "null"}]})
    }
}

impl<T: Column> Column for Vec<T> {
    fn data_type() -> DataType {
        DataType::List(Field::new("item", T::data_type(), T::NULLABLE).into())
    }
    fn json_schema() -> Value {
        json!({"type": "array", "items": T::json_schema()})
    }
}
