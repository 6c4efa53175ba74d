//! Where PostgreSQL keeps a row: its quickest address, good as long as the row is locked.

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

type Refused = Box<dyn std::error::Error + Sync + Send>;

/// A `ctid`: block and place in it, as PostgreSQL sends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowId([u8; 6]);

impl<'a> FromSql<'a> for RowId {
    accepts!(TID);

    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Refused> {
        Ok(Self(raw.try_into()?))
    }
}

impl ToSql for RowId {
    accepts!(TID);
    to_sql_checked!();

    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Refused> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}
