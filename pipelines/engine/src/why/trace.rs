//! From the rows asked for down to the rows of relations.

use std::collections::BTreeSet;

use arrow::array::RecordBatch;
use datafusion::common::JoinType;
use datafusion::execution::SessionState;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::plan::view_of;
use super::run::Traced;
use super::{groups, take};
use crate::Result;

/// Rows found of one relation or view.
pub(super) enum Rows {
    /// By their numbers.
    OfRelation(BTreeSet<u32>),
    /// From each place that reads it.
    OfView(Vec<RecordBatch>),
}

/// Rows found, of what, and in whose SQL.
pub(super) struct Found {
    pub name: String,
    pub reader: String,
    pub rows: Rows,
    pub caveats: BTreeSet<String>,
}

/// All that was found, in the order of the plan.
#[derive(Default)]
pub(super) struct Sink {
    pub found: Vec<Found>,
}

impl Sink {
    fn entry(&mut self, name: &str, reader: &str, caveats: &[String], rows: Rows) {
        let known =
            self.found.iter_mut().find(|found| found.name == name && found.reader == reader);
        let Some(known) = known else {
            let (name, reader) = (name.to_owned(), reader.to_owned());
            let caveats = caveats.iter().cloned().collect();
            return self.found.push(Found { name, reader, rows, caveats });
        };
        known.caveats.extend(caveats.iter().cloned());
        match (&mut known.rows, rows) {
            (Rows::OfRelation(known), Rows::OfRelation(rows)) => known.extend(rows),
            (Rows::OfView(known), Rows::OfView(rows)) => known.extend(rows),
            (known, rows) => *known = rows,
        }
    }
}

/// Follows the rows `wanted` of a node that stands in the SQL of the view `reader`.
pub(super) fn follow(
    state: &SessionState,
    node: &Traced,
    wanted: &BTreeSet<u32>,
    reader: &str,
    caveats: &[String],
    sink: &mut Sink,
) -> Result<()> {
    match &node.plan {
        LogicalPlan::TableScan(scan) => {
            let rows = Rows::OfRelation(wanted.clone());
            sink.entry(scan.table_name.table(), reader, caveats, rows);
            return Ok(());
        }
        LogicalPlan::SubqueryAlias(alias) => {
            if let Some(view) = view_of(alias.alias.table()) {
                let rows = Rows::OfView(vec![take(&node.rows, wanted)?]);
                sink.entry(view, reader, caveats, rows);
                return follow(state, &node.inputs[0], wanted, view, caveats, sink);
            }
        }
        _ => {}
    }
    for (at, input) in node.inputs.iter().enumerate() {
        let Step { rows, caveat } = step(state, node, at, wanted)?;
        let caveats: Vec<String> = caveats.iter().cloned().chain(caveat).collect();
        follow(state, input, &rows, reader, &caveats, sink)?;
    }
    Ok(())
}

/// Rows of one input, and why they may be more than had a part.
struct Step {
    rows: BTreeSet<u32>,
    caveat: Option<String>,
}

fn step(state: &SessionState, node: &Traced, at: usize, wanted: &BTreeSet<u32>) -> Result<Step> {
    let exact = |rows| Ok(Step { rows, caveat: None });
    let all = |caveat: &str| {
        let rows = if wanted.is_empty() { BTreeSet::new() } else { node.inputs[at].all() };
        Ok(Step { rows, caveat: Some(caveat.to_owned()) })
    };
    if node.is_opaque {
        let query = node.plan.display();
        return all(&format!("{query} is evaluated as a whole: these are all rows it reads"));
    }
    let own = node.from[at].as_ref().map(|from| {
        let rows = wanted.iter().map(|row| *row as usize);
        rows.filter(|row| !arrow::array::Array::is_null(from, *row))
            .map(|row| from.value(row))
            .collect()
    });
    match (&node.plan, own) {
        (LogicalPlan::Window(window), Some(own)) if at == 0 => {
            let own: BTreeSet<u32> = own;
            let calls: Vec<&WindowFunction> =
                window.window_expr.iter().filter_map(call_of).collect();
            let wide: Vec<&&WindowFunction> = calls.iter().filter(|call| !is_rank(call)).collect();
            if wide.is_empty() && calls.len() == window.window_expr.len() {
                let caveat =
                    "its rank depends on the other rows of its partition, which are not shown";
                return Ok(Step { rows: own, caveat: Some(caveat.to_owned()) });
            }
            let mut rows = own.clone();
            for call in &wide {
                rows.extend(groups::partition(
                    state,
                    &node.inputs[0],
                    &call.params.partition_by,
                    &own,
                )?);
            }
            let names: BTreeSet<String> =
                wide.iter().map(|call| call.fun.name().to_owned()).collect();
            let names = names.into_iter().collect::<Vec<_>>().join(", ");
            let caveat = format!("{names} over a window: these are all rows of the partition");
            Ok(Step { rows, caveat: Some(caveat) })
        }
        (LogicalPlan::Limit(_), Some(rows)) => Ok(Step {
            rows,
            caveat: Some(
                "a limit depends on the rows it leaves out, which are not shown".to_owned(),
            ),
        }),
        (_, Some(rows)) => exact(rows),
        (LogicalPlan::Aggregate(aggregate), None) if at == 0 => {
            if wanted.is_empty() {
                return exact(BTreeSet::new());
            }
            exact(groups::members(state, node, aggregate, wanted)?)
        }
        (LogicalPlan::Join(join), None) if at == 1 => match join.join_type {
            JoinType::LeftSemi | JoinType::LeftMark => {
                let left =
                    node.from[0].as_ref().expect("invariant: rows of the left side are passed on");
                let own = wanted.iter().map(|row| left.value(*row as usize)).collect();
                exact(groups::matches(state, node, &own)?)
            }
            _ => exact(BTreeSet::new()),
        },
        _ => all("a subquery gives one value: these are all rows it reads"),
    }
}

fn call_of(expression: &Expr) -> Option<&WindowFunction> {
    match expression {
        Expr::WindowFunction(call) => Some(call),
        Expr::Alias(alias) => call_of(&alias.expr),
        _ => None,
    }
}

fn is_rank(call: &WindowFunction) -> bool {
    matches!(call.fun.name(), "row_number" | "rank" | "dense_rank")
}
