//! The plan that is followed down.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, ScalarValue};
use datafusion::execution::SessionState;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, TableScan, lit};
use datafusion::physical_expr::PhysicalExpr;

use super::Question;
use crate::fault::{Fault, closest};
use crate::plan::{Planner, physical};
use crate::{Error, Result};

/// What the alias of a view's plan within another begins with.
const VIEW: &str = "__view_";

/// The view whose plan stands below an alias.
pub(super) fn view_of(alias: &str) -> Option<&str> {
    alias.strip_prefix(VIEW)
}

/// The rows asked for as one plan over relations.
pub(super) fn of(question: &Question) -> Result<(LogicalPlan, Arc<SessionState>)> {
    let planner = Planner::new();
    for (name, schema) in &question.relations {
        planner.declare(name, Arc::clone(schema))?;
    }
    let mut plans: BTreeMap<&str, LogicalPlan> = BTreeMap::new();
    for (name, sql) in &question.views {
        let plan = planner.analyzed(name, sql)?;
        let plan = with_views(plan, &plans)?;
        let fields = plan.schema().fields().iter().map(|field| field.as_ref().clone());
        let schema = Schema::new(fields.collect::<Vec<_>>());
        planner.declare(name, Arc::new(schema))?;
        plans.insert(name, plan);
        if *name == question.view {
            break;
        }
    }
    let unknown = || Error::UnknownView { name: question.view.clone() };
    let plan = plans.remove(question.view.as_str()).ok_or_else(unknown)?;
    let failed = |source| match question.views.iter().find(|(name, _)| *name == question.view) {
        Some((name, sql)) => planner.refusal(name, sql, source),
        None => Error::DataFusion(source),
    };
    let keyed = LogicalPlanBuilder::from(plan).alias(question.view.as_str())?;
    let condition = condition(question, keyed.schema().as_arrow())?;
    let keyed = match condition {
        Some(condition) => keyed.filter(condition)?,
        None => keyed,
    };
    let plan = planner.pushed_down(keyed.build()?, question.now).map_err(failed)?;
    Ok((plan, planner.state()))
}

/// The plan with the plans of views in place of their scans.
fn with_views(plan: LogicalPlan, views: &BTreeMap<&str, LogicalPlan>) -> Result<LogicalPlan> {
    let replaced = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let Some(view) = views.get(scan.table_name.table()) else {
            return Ok(Transformed::no(node));
        };
        let marker = format!("{VIEW}{}", scan.table_name.table());
        let view = LogicalPlanBuilder::from(view.clone()).alias(marker)?;
        Ok(Transformed::yes(view.alias(scan.table_name.clone())?.build()?))
    })?;
    Ok(replaced.data)
}

/// The condition that the key has the values asked for; none without a key.
fn condition(question: &Question, schema: &Schema) -> Result<Option<Expr>> {
    let refused = |problem: String, help: Option<String>| {
        let subject = format!("view {}", question.view);
        Error::Definition(Box::new(Fault { subject, problem, place: None, help }))
    };
    let mut terms = Vec::new();
    for (name, value) in &question.key {
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        let field = schema.field_with_name(name).map_err(|_| {
            let columns = names().collect::<Vec<_>>().join(", ");
            let meant = closest(name, names()).map(|meant| format!("did you mean \"{meant}\"?"));
            refused(format!("it has no column {name}; its columns are {columns}"), meant)
        })?;
        let column = Expr::Column(Column::new(Some(question.view.as_str()), field.name()));
        if value == "null" {
            terms.push(column.is_null());
            continue;
        }
        let strict = CastOptions { safe: false, ..CastOptions::default() };
        let text = StringArray::from(vec![value.as_str()]);
        let typed = cast_with_options(&text, field.data_type(), &strict);
        let typed = typed.ok().filter(|typed| !typed.is_null(0)).ok_or_else(|| {
            refused(
                format!("{value:?} is no {}, which column {name} holds", field.data_type()),
                None,
            )
        })?;
        terms.push(column.eq(lit(ScalarValue::try_from_array(&typed, 0)?)));
    }
    Ok(conjunction(terms))
}

/// By relation, the conditions of its scans, one of which a row has to meet; `None` where any row counts.
pub(super) type Conditions = BTreeMap<String, Option<Vec<Arc<dyn PhysicalExpr>>>>;

/// By relation that is read, out of `relations`, the conditions right above its scans; `None` where one has none.
pub(super) fn conditions(
    plan: &LogicalPlan,
    relations: &BTreeMap<String, SchemaRef>,
) -> Result<Conditions> {
    let mut found: BTreeMap<String, Option<Vec<Filter>>> = BTreeMap::new();
    let mut note = |scan: &TableScan, filter: Option<&Filter>| {
        let name = scan.table_name.table();
        if !relations.contains_key(name) {
            return;
        }
        let known = found.entry(name.to_owned()).or_insert(Some(Vec::new()));
        match (known.as_mut(), filter) {
            (Some(filters), Some(filter)) => filters.push(filter.clone()),
            (_, None) => *known = None,
            (None, Some(_)) => {}
        }
    };
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Filter(filter) => {
                if let LogicalPlan::TableScan(scan) = filter.input.as_ref()
                    && scan.projection.is_none()
                    && !reads_rows(&filter.predicate)
                {
                    note(scan, Some(filter));
                    return Ok(TreeNodeRecursion::Jump);
                }
            }
            LogicalPlan::TableScan(scan) => note(scan, None),
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    let mut conditions = BTreeMap::new();
    for (relation, filters) in found {
        let physical = |filter: &Filter| physical(&filter.predicate, filter.input.schema());
        let own = filters.map(|filters| filters.iter().map(physical).collect::<Result<Vec<_>>>());
        conditions.insert(relation, own.transpose()?);
    }
    Ok(conditions)
}

fn reads_rows(expression: &Expr) -> bool {
    let is_query = |part: &Expr| {
        Ok(matches!(part, Expr::ScalarSubquery(_) | Expr::InSubquery(_) | Expr::Exists(_)))
    };
    expression.exists(is_query).unwrap_or(true)
}
