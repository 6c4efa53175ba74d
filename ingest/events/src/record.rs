//! `record!` declares a struct once, for JSON, Arrow and OpenAPI; `word!` an enum written as text.

use crate::ColumnSpec;

/// A struct whose fields are known by name and type.
pub trait Record {
    fn columns() -> Vec<ColumnSpec>;
}

/// Declares a struct that can be (part of) an event's payload.
macro_rules! record {
    ($(#[doc = $doc:expr])* pub struct $name:ident {
        $($(#[doc = $field_doc:expr])* pub $field:ident: $type:ty),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
        pub struct $name {
            $($(#[doc = $field_doc])* pub $field: $type),*
        }

        impl $crate::Record for $name {
            fn columns() -> Vec<$crate::ColumnSpec> {
                vec![$($crate::ColumnSpec::of::<$type>(stringify!($field), concat!($($field_doc),*))),*]
            }
        }

        impl $crate::Column for $name {
            fn data_type() -> arrow::datatypes::DataType {
                $crate::column::struct_type(&<Self as $crate::Record>::columns())
            }
            fn json_schema() -> serde_json::Value {
                $crate::column::object_schema(&<Self as $crate::Record>::columns())
            }
        }
    };
}

/// Declares an enum that is one of a few words: text in JSON, Arrow, PostgreSQL and OpenAPI.
///
/// The text is a `tt`: as a `literal` it would reach `ToSchema` in a group of its own, which that does
/// not look into, and the document would show the Rust names.
macro_rules! word {
    ($(#[doc = $doc:expr])* pub enum $name:ident {
        $($(#[doc = $variant_doc:expr])* $variant:ident = $text:tt),* $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, sqlx::Type, utoipa::ToSchema)]
        #[sqlx(type_name = "text")]
        pub enum $name {
            $($(#[doc = $variant_doc])* #[serde(rename = $text)] #[sqlx(rename = $text)] $variant),*
        }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl $crate::Column for $name {
            fn data_type() -> arrow::datatypes::DataType {
                arrow::datatypes::DataType::Utf8
            }
            fn json_schema() -> serde_json::Value {
                serde_json::json!({"type": "string", "enum": [$($text),*]})
            }
        }
    };
}

pub(crate) use record;
pub(crate) use word;
