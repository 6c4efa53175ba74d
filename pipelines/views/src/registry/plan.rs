//! What a view reads, and which columns come out.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::datasource::empty::EmptyTable;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::DFParser;
use datafusion::sql::resolve::resolve_table_references;
use futures::executor::block_on;
use std::sync::Arc;

use crate::{Error, Result};

/// Names of the tables in `sql`, without those it declares itself.
pub(super) fn reads(view: &str, sql: &str) -> Result<Vec<String>> {
    let failed = |source| Error::plan(view, sql, &[], &source);
    let mut statements = DFParser::parse_sql(sql).map_err(failed)?;
    let statement = statements.pop_front().filter(|_| statements.is_empty()).ok_or_else(|| {
        let problem = "a view is exactly one select".to_owned();
        Error::File { file: view.to_owned(), problem }
    })?;
    let (tables, _) = resolve_table_references(&statement, true).map_err(failed)?;
    Ok(tables.into_iter().map(|table| table.table().to_owned()).collect())
}

/// Finds the columns of views from the columns of what they read. Planning only, nothing is run.
pub(super) struct Planner {
    context: SessionContext,
}

impl Planner {
    pub fn new(tables: &HashMap<String, SchemaRef>) -> Result<Self> {
        // Errors tell their places.
        let config = SessionConfig::new().set_bool("datafusion.sql_parser.collect_spans", true);
        let planner = Self { context: SessionContext::new_with_config(config) };
        for (name, schema) in tables {
            planner.declare(name, Arc::clone(schema))?;
        }
        Ok(planner)
    }

    /// Makes the columns of a table known.
    pub fn declare(&self, name: &str, schema: SchemaRef) -> Result<()> {
        let table: Arc<dyn TableProvider> = Arc::new(EmptyTable::new(schema));
        self.context.register_table(name, table)?;
        Ok(())
    }

    /// Columns of `sql`, which later views may read as `view`.
    pub fn columns(&self, view: &str, sql: &str) -> Result<SchemaRef> {
        let failed = |source| {
            let schema = self.context.catalog("datafusion").and_then(|all| all.schema("public"));
            let mut tables = schema.map(|tables| tables.table_names()).unwrap_or_default();
            tables.sort();
            let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
            Error::plan(view, sql, &tables, &source)
        };
        let state = self.context.state();
        let plan = block_on(state.create_logical_plan(sql)).map_err(failed)?;
        let plan = state.optimize(&plan).map_err(failed)?;
        let fields: Vec<_> = plan
            .schema()
            .fields()
            .iter()
            .map(|field| field.as_ref().clone().with_metadata(HashMap::new()))
            .collect();
        let nested = fields.iter().find(|field| {
            matches!(field.data_type(), DataType::List(_) | DataType::Struct(_) | DataType::Null)
        });
        if let Some(field) = nested {
            let problem = format!(
                "column {} is {}: unnest it, or cast it to the type it should have",
                field.name(),
                field.data_type()
            );
            return Err(Error::File { file: view.to_owned(), problem });
        }
        let schema: SchemaRef = Schema::new(fields).into();
        self.declare(view, Arc::clone(&schema))?;
        Ok(schema)
    }
}
