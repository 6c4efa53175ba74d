//! ClickHouse over HTTP: statements, Arrow in, Arrow out.

use std::fmt;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::ipc::reader::StreamReader;
use bytes::{Buf, Bytes};
use clickhouse::{Client, Compression};
use secrecy::ExposeSecret;

use crate::{Connection, Error, Result};

/// Bytes handed to the connection at once.
const CHUNK_BYTES: usize = 1 << 20;

/// A connection to ClickHouse. Cheap to clone.
#[derive(Clone)]
pub struct Clickhouse {
    client: Client,
    timeout: Duration,
}

impl fmt::Debug for Clickhouse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Clickhouse").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

fn failed(action: &str) -> impl FnOnce(clickhouse::error::Error) -> Error {
    move |source| Error::Clickhouse { action: action.to_owned(), source }
}

impl Clickhouse {
    /// Makes no connection yet. Each request may take `timeout`.
    #[must_use]
    pub fn new(connection: &Connection, timeout: Duration) -> Self {
        let compression =
            if connection.is_compressed { Compression::Lz4 } else { Compression::None };
        let client = Client::default()
            .with_url(&connection.url)
            .with_user(&connection.user)
            .with_password(connection.password.expose_secret())
            .with_compression(compression);
        Self { client, timeout }
    }

    async fn in_time<T>(
        &self,
        action: &str,
        work: impl Future<Output = clickhouse::error::Result<T>>,
    ) -> Result<T> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(outcome) => outcome.map_err(failed(action)),
            Err(_) => Err(failed(action)(clickhouse::error::Error::TimedOut)),
        }
    }

    /// Runs a statement that gives no rows.
    ///
    /// # Errors
    /// [`Error::Clickhouse`].
    pub async fn execute(&self, action: &str, sql: &str) -> Result<()> {
        self.in_time(action, self.client.query_raw(sql).execute()).await
    }

    /// The rows of a select.
    ///
    /// # Errors
    /// [`Error::Clickhouse`], or the answer is not Arrow.
    pub async fn select(&self, action: &str, sql: &str) -> Result<Vec<RecordBatch>> {
        let query = self
            .client
            .query_raw(sql)
            .with_setting("output_format_arrow_string_as_string", "1")
            .with_setting("output_format_arrow_compression_method", "none")
            .with_setting("output_format_arrow_low_cardinality_as_dictionary", "0");
        let mut cursor = query.fetch_bytes("ArrowStream").map_err(failed(action))?;
        let bytes = self.in_time(action, cursor.collect()).await?;
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        let reader = StreamReader::try_new(bytes.reader(), None)?;
        Ok(reader.collect::<Result<_, _>>()?)
    }

    /// Inserts `rows` into `table` by column name. ClickHouse drops a repeated insert with the same
    /// `token`.
    ///
    /// # Errors
    /// [`Error::Clickhouse`].
    pub async fn insert(&self, table: &str, rows: &RecordBatch, token: &str) -> Result<()> {
        let action = format!("insert into {table}");
        let names: Vec<String> =
            rows.schema().fields().iter().map(|f| crate::ddl::quote(f.name())).collect();
        let sql = format!("insert into {table} ({}) format ArrowStream", names.join(", "));
        let mut insert = self
            .client
            .insert_formatted_with(sql)
            .with_setting("insert_deduplication_token", token)
            .with_setting("max_partitions_per_insert_block", "0")
            .with_setting("async_insert", "0");
        let mut bytes = Bytes::from(crate::rows::stream(rows)?);
        let work = async {
            while !bytes.is_empty() {
                insert.send(bytes.split_to(bytes.len().min(CHUNK_BYTES))).await?;
            }
            insert.end().await
        };
        self.in_time(&action, work).await
    }
}
