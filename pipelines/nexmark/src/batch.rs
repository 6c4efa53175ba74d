//! A query answered from scratch by DataFusion.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use millrace_engine::Delta;

use crate::{Fingerprint, Query, Result, Tables, side_input};

/// The tables so far.
#[derive(Debug, Default)]
pub struct Batch {
    person: Vec<RecordBatch>,
    auction: Vec<RecordBatch>,
    bid: Vec<RecordBatch>,
}

impl Batch {
    /// No rows.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the rows of one epoch.
    pub fn add(&mut self, tables: &Tables) {
        self.person.push(tables.person.clone());
        self.auction.push(tables.auction.clone());
        self.bid.push(tables.bid.clone());
    }

    /// What `query` gives over the rows so far, computed on one thread.
    ///
    /// # Errors
    /// Whatever DataFusion says.
    pub async fn answer(&self, query: Query) -> Result<Fingerprint> {
        let context =
            SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
        let side = vec![side_input()?];
        let tables = [
            ("person", &self.person),
            ("auction", &self.auction),
            ("bid", &self.bid),
            ("side_input", &side),
        ];
        for (name, rows) in tables {
            if let Some(first) = rows.first() {
                let table = MemTable::try_new(first.schema(), vec![rows.clone()])?;
                context.register_table(name, Arc::new(table))?;
            }
        }
        let mut fingerprint = Fingerprint::default();
        for batch in context.sql(query.sql).await?.collect().await? {
            fingerprint.add(&Delta::inserts(batch))?;
        }
        Ok(fingerprint)
    }
}
