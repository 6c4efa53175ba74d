//! Rows that are changed only in the version the caller has seen.

use axum::http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{Json, ListSpec, etag};
use crate::{Error, Result, Tx};

/// A record and the version it now has.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Versioned<T> {
    pub version: i64,
    #[serde(flatten)]
    pub record: T,
}

/// A table whose rows count their versions in `version`.
#[derive(Clone, Copy, Debug)]
pub struct VersionedRows {
    /// What a row is, for example `product`.
    pub what: &'static str,
    /// With its schema, for example `product.products`.
    pub table: &'static str,
    /// What of a row is read; its key is a UUID.
    pub list: ListSpec,
}

impl VersionedRows {
    /// One row as JSON, and its entity tag.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Database`].
    pub async fn read(
        &self,
        pool: &PgPool,
        id: Uuid,
    ) -> Result<([(HeaderName, HeaderValue); 1], Json<Box<RawValue>>)> {
        let ListSpec { select, key, .. } = self.list;
        let sql = format!(
            "select version, row_to_json(found)::text from ({select} where {key} = $1) as found"
        );
        let row: Option<(i64, String)> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(id).fetch_optional(pool).await?;
        let (version, json) = row.ok_or_else(|| Error::not_found(self.what, id))?;
        Ok((etag(version), Json(RawValue::from_string(json)?)))
    }

    /// Holds a row for this transaction if it is there in the version `wanted`; none for any.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Stale`] or [`Error::Database`].
    pub async fn hold(&self, tx: &Tx, id: Uuid, wanted: Option<i64>) -> Result<()> {
        let (table, key) = (self.table, self.list.key);
        let sql = format!("select version from {table} where {key} = $1 for update");
        let version: Option<(i64,)> = tx.fetch_optional(&sql, &[&id]).await?;
        let (version,) = version.ok_or_else(|| Error::not_found(self.what, id))?;
        if wanted.is_some_and(|wanted| wanted != version) {
            return Err(Error::Stale { what: self.what, id: id.to_string() });
        }
        Ok(())
    }
}
