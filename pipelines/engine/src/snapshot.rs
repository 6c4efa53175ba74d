//! The rows of a view at the end of an epoch, as an immutable table.

use std::fmt;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::{Cut, Result};

/// A run of rows some of which have gone. Shared between snapshots as long as nothing in it changes.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotChunk {
    pub batch: RecordBatch,
    /// A set bit per row that has gone, in words of 64; `None` when all rows are there.
    pub dead: Option<Arc<Vec<u64>>>,
    pub live_rows: usize,
}

/// A view's rows at one point of its input. Cheap to take and to clone; later epochs do not change it.
///
/// It is a [`TableProvider`]: `context.register_table("name", snapshot)` makes it queryable.
#[derive(Clone)]
pub struct Snapshot {
    view: String,
    schema: SchemaRef,
    chunks: Vec<SnapshotChunk>,
    epoch: u64,
    cut: Arc<Cut>,
}

impl Snapshot {
    pub(crate) fn new(
        view: String,
        schema: SchemaRef,
        chunks: Vec<SnapshotChunk>,
        epoch: u64,
        cut: Arc<Cut>,
    ) -> Self {
        Self { view, schema, chunks, epoch, cut }
    }

    /// Name of the view.
    pub fn view(&self) -> &str {
        &self.view
    }

    /// Columns of the view.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The last epoch it includes.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How far the inputs had been read.
    pub fn position(&self) -> &Cut {
        &self.cut
    }

    /// Number of rows.
    pub fn num_rows(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.live_rows).sum()
    }

    /// The rows, in no particular order. Runs without gaps are shared, others copied.
    pub fn batches(&self) -> Result<Vec<RecordBatch>> {
        let live = self.chunks.iter().filter(|chunk| chunk.live_rows > 0);
        live.map(|chunk| match &chunk.dead {
            None => Ok(chunk.batch.clone()),
            Some(dead) => {
                let is_live = |row: usize| dead[row / 64] >> (row % 64) & 1 == 0;
                let mask = BooleanBuffer::collect_bool(chunk.batch.num_rows(), is_live);
                Ok(filter_record_batch(&chunk.batch, &BooleanArray::new(mask, None))?)
            }
        })
        .collect()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Snapshot")
            .field("view", &self.view)
            .field("epoch", &self.epoch)
            .field("num_rows", &self.num_rows())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl TableProvider for Snapshot {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        let batches = self
            .batches()
            .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
        let exec = MemorySourceConfig::try_new_exec(
            &[batches],
            Arc::clone(&self.schema),
            projection.cloned(),
        )?;
        Ok(exec)
    }
}
