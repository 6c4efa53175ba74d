//! Batch SQL: DataFusion over the rows of a moment.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::DFParser;

use crate::{Error, Result};

/// A session that plans as the engine does: text stays text, one thread.
pub fn session() -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    SessionContext::new_with_config(config)
}

/// The tables that one query reads, its own common table expressions left out; names are lower case unless
/// quoted.
///
/// # Errors
/// SQL that does not parse, and [`Error::Statements`].
pub fn referenced_tables(sql: &str) -> Result<Vec<TableReference>> {
    let statements = DFParser::parse_sql(sql)?;
    let [statement] = &Vec::from(statements)[..] else {
        return Err(Error::Statements { count: DFParser::parse_sql(sql)?.len() });
    };
    Ok(datafusion::sql::resolve::resolve_table_references(statement, true)?.0)
}

/// The tables of a trial in a DataFusion session, and its query.
pub(crate) struct Batch {
    context: SessionContext,
    views: Vec<(String, String)>,
    sql: String,
}

impl Batch {
    pub fn new(views: Vec<(String, String)>, sql: String) -> Self {
        Self { context: session(), views, sql }
    }

    /// Puts these rows in the place of those before. Views become tables of their rows: inlined, a view
    /// between would be optimised away together with the types it gives.
    pub async fn set(&self, tables: Vec<(String, RecordBatch)>) -> Result<(), DataFusionError> {
        for (name, rows) in tables {
            let name = TableReference::bare(name);
            self.context.deregister_table(name.clone())?;
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]])?;
            self.context.register_table(name, Arc::new(table))?;
        }
        for (name, sql) in &self.views {
            let sql = format!("create or replace table \"{name}\" as {sql}");
            self.context.sql(&sql).await?.collect().await?;
        }
        Ok(())
    }

    /// The query's plan over the tables as they are, before any rule of the optimiser.
    pub async fn plan(&self) -> Result<LogicalPlan, DataFusionError> {
        self.context.state().create_logical_plan(&self.sql).await
    }

    /// The answer over the tables as they are.
    pub async fn answer(&self) -> Result<Vec<RecordBatch>, DataFusionError> {
        self.run(self.plan().await?).await
    }

    /// The answer to a plan of this session.
    pub async fn run(&self, plan: LogicalPlan) -> Result<Vec<RecordBatch>, DataFusionError> {
        self.context.execute_logical_plan(plan).await?.collect().await
    }
}
