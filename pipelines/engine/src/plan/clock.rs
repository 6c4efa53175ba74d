//! `now()` and its kin, as a value that a relation gives.
//!
//! A plan would hold the time it was made at. Instead, the largest parts of an expression that depend on nothing
//! but the time become scalar subqueries over the relation [`CLOCK`], which each epoch sets to its own time.
//! `current_date - 90` changes once a day then, and what depends on it too.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, TimestampNanosecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampNanosecondType};
use chrono::{DateTime, Utc};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Spans};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Cast, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Subquery, Volatility,
};

use super::table::DeclaredTable;

/// The relation that holds the time of the epoch: one row, of key 0.
pub(crate) const CLOCK: &str = "__clock";
pub(crate) const CLOCK_KEY: &str = "id";
const NOW: &str = "now";

/// Columns of [`CLOCK`].
pub(crate) fn clock_schema() -> SchemaRef {
    let now = DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into()));
    let id = Field::new(CLOCK_KEY, DataType::Int64, false);
    Arc::new(Schema::new(vec![id, Field::new(NOW, now, false)]))
}

/// The row of [`CLOCK`] at `now`; none beyond what nanoseconds can count, the years 1677 to 2262.
pub(crate) fn clock_row(now: DateTime<Utc>) -> Option<RecordBatch> {
    let now = TimestampNanosecondArray::from(vec![now.timestamp_nanos_opt()?]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![0])), Arc::new(now.with_timezone("+00:00"))];
    RecordBatch::try_new(clock_schema(), columns).ok()
}

/// The time in rows of [`CLOCK`]; none where there is no row.
pub(crate) fn clock_time(rows: &RecordBatch) -> Option<DateTime<Utc>> {
    let times = rows.column_by_name(NOW)?.as_primitive_opt::<TimestampNanosecondType>()?;
    times.values().first().map(|at| DateTime::from_timestamp_nanos(*at))
}

/// The plan with subqueries over the clock in place of functions of the time.
pub(super) fn bind(plan: LogicalPlan) -> Result<LogicalPlan> {
    let bound = plan.transform_up_with_subqueries(|node| {
        let names = NamePreserver::new(&node);
        let mapped = node.map_expressions(|expression| {
            let name = names.save(&expression);
            let bound = expression.transform_down(bind_part)?;
            Ok(bound.update_data(|expression| name.restore(expression)))
        })?;
        mapped.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(bound.data)
}

fn bind_part(part: Expr) -> Result<Transformed<Expr>> {
    if !part.exists(|part| Ok(is_time(part)))? {
        return Ok(Transformed::new(part, false, TreeNodeRecursion::Jump));
    }
    if part.exists(|part| Ok(depends_on_more(part)))? {
        return Ok(Transformed::no(part));
    }
    let value = part.transform_up(|part| match is_time(&part) {
        true => {
            let data_type = part.get_type(&DFSchema::empty())?;
            let now = Expr::Column(Column::new(Some(CLOCK), NOW));
            Ok(Transformed::yes(Expr::Cast(Cast::new(Box::new(now), data_type))))
        }
        false => Ok(Transformed::no(part)),
    })?;
    let source = provider_as_source(Arc::new(DeclaredTable::new(clock_schema())));
    let subquery = LogicalPlanBuilder::scan(CLOCK, source, None)?
        .project([value.data.alias("value")])?
        .build()?;
    let subquery = Subquery {
        subquery: Arc::new(subquery),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    };
    Ok(Transformed::new(Expr::ScalarSubquery(subquery), true, TreeNodeRecursion::Jump))
}

/// `now()`, `current_date` and `current_time`.
pub(super) fn is_time(part: &Expr) -> bool {
    matches!(part, Expr::ScalarFunction(call)
        if matches!(call.func.name(), "now" | "current_date" | "current_time"))
}

/// What a value of the time alone does not hold.
fn depends_on_more(part: &Expr) -> bool {
    match part {
        Expr::Literal(..)
        | Expr::BinaryExpr(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::Negative(_)
        | Expr::Not(_)
        | Expr::Case(_) => false,
        Expr::ScalarFunction(call) => {
            !is_time(part) && call.func.signature().volatility != Volatility::Immutable
        }
        _ => true,
    }
}
