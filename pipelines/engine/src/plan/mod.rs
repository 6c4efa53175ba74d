//! From SQL to operators.

mod check;
mod clock;
mod lower;
mod once;
mod optimize;
mod ranks;
mod table;

pub(crate) use clock::{CLOCK, CLOCK_KEY, clock_row, clock_schema, clock_time};
pub(crate) use lower::{Catalog, lower, physical};

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::FutureExt;

use crate::fault::{Text, planning};
use crate::{Error, Result};
use table::DeclaredTable;

/// Plans the SQL of views against declared tables.
pub(crate) struct Planner {
    context: SessionContext,
}

impl Planner {
    pub fn new() -> Self {
        let config = SessionConfig::new()
            .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false)
            .set_bool("datafusion.sql_parser.collect_spans", true)
            .with_information_schema(false)
            // A query that is run again gives the same order each time.
            .with_target_partitions(1);
        let state = SessionStateBuilder::new().with_config(config).with_default_features().build();
        Self { context: SessionContext::new_with_state(state) }
    }

    /// What queries are run with.
    pub fn state(&self) -> Arc<SessionState> {
        Arc::new(self.context.state())
    }

    /// Makes `name` known to later queries.
    pub fn declare(&self, name: &str, schema: SchemaRef) -> Result<()> {
        self.context.register_table(name, Arc::new(DeclaredTable::new(schema)))?;
        Ok(())
    }

    /// Makes `name` unknown again.
    pub fn forget(&self, name: &str) -> Result<()> {
        self.context.deregister_table(name)?;
        Ok(())
    }

    /// What DataFusion says against a view's query, with its place.
    pub fn refusal(&self, view: &str, sql: &str, cause: DataFusionError) -> Error {
        let schemas = self.context.catalog_names().into_iter().filter_map(|name| {
            let catalog = self.context.catalog(&name)?;
            Some(catalog.schema_names().into_iter().filter_map(move |name| catalog.schema(&name)))
        });
        let mut tables: Vec<String> =
            schemas.flatten().flat_map(|schema| schema.table_names()).collect();
        tables.retain(|table| table != CLOCK);
        tables.sort();
        let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
        let fault = Box::new(planning(view, sql, &tables, &cause));
        Error::Plan { fault, cause: Box::new(cause) }
    }

    /// A view's query as SQL says it.
    fn parsed(&self, view: &str, sql: &str) -> Result<LogicalPlan> {
        let planned = self.context.state().create_logical_plan(sql).now_or_never();
        let plan = planned.expect("tables are declared in memory: planning never waits");
        plan.map_err(|cause| self.refusal(view, sql, cause))
    }

    /// The same with its types settled.
    pub fn analyzed(&self, view: &str, sql: &str) -> Result<LogicalPlan> {
        let analyzed = optimize::analyze(self.parsed(view, sql)?, &self.context.state());
        analyzed.map_err(|cause| self.refusal(view, sql, cause))
    }

    /// A query as of a time, with its conditions as low as they go and all columns kept.
    pub fn pushed_down(
        &self,
        plan: LogicalPlan,
        now: DateTime<Utc>,
    ) -> DataFusionResult<LogicalPlan> {
        optimize::push_down(plan, &self.context.state(), now)
    }

    /// Parses, checks and optimises a view's query.
    pub fn plan(&self, view: &str, sql: &str, text: &Text<'_>) -> Result<LogicalPlan> {
        let plan = self.parsed(view, sql)?;
        check::query_only(view, text, &plan)?;
        let optimized = optimize::optimize(plan, &self.context.state());
        let plan = optimized.map_err(|cause| self.refusal(view, sql, cause))?;
        check::same_at_any_time(view, text, &plan)?;
        Ok(plan)
    }
}
