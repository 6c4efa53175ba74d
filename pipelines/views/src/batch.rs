//! What plain batch SQL answers: the yardstick for every view.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::{Error, Registry, Result};

/// Rows of event relations, by name.
pub type Tables = BTreeMap<String, Vec<RecordBatch>>;

/// All rows of view `name` when the events are `tables`, computed from scratch.
///
/// # Errors
/// [`Error::UnknownView`], or DataFusion refuses or fails.
pub(crate) async fn answer(
    registry: &Registry,
    name: &str,
    tables: &Tables,
) -> Result<Vec<RecordBatch>> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    for (event, schema) in registry.events() {
        let rows = tables.get(event).cloned().unwrap_or_default();
        let table = MemTable::try_new(Arc::clone(schema), vec![rows])?;
        context.register_table(event.as_str(), Arc::new(table))?;
    }
    for view in registry.closure(name)? {
        let failed = |source| Error::plan(&view.name, &view.text, &[], &source);
        let plan = context.state().create_logical_plan(&view.text).await.map_err(failed)?;
        let table = ViewTable::new(plan, Some(view.sql.clone()));
        context.register_table(view.name.as_str(), Arc::new(table))?;
    }
    Ok(context.table(name).await?.collect().await?)
}
