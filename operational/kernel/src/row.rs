//! Rows as tuples and as structs.

use tokio_postgres::types::FromSqlOwned;
use tokio_postgres::{Error, Row};

/// What a row of an answer is read as: a tuple of its columns in order, or a
/// struct by [`crate::from_row!`].
pub trait FromRow: Sized {
    /// # Errors
    /// When a column is missing or of another type.
    fn from_row(row: &Row) -> Result<Self, Error>;
}

/// Reads rows as a struct, each field from the column of its name:
/// `from_row!(Shop { shop_id, code })`.
#[macro_export]
macro_rules! from_row {
    ($type:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::FromRow for $type {
            fn from_row(row: &$crate::Row) -> std::result::Result<Self, $crate::RowError> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}

macro_rules! tuples {
    ($($($column:ident $index:tt),+;)+) => {$(
        impl<$($column: FromSqlOwned),+> FromRow for ($($column,)+) {
            fn from_row(row: &Row) -> Result<Self, Error> {
                Ok(($(row.try_get::<_, $column>($index)?,)+))
            }
        }
    )+};
}

tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
}
