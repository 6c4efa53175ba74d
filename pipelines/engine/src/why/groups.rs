//! Rows that share a key with rows asked for, and rows that are the same.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::Column;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Aggregate, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder};

use super::run::{Traced, numbered, row_name, scan};
use crate::Result;

/// The rows of `input` for which `keys` have the values that one of the rows `wanted` of `values` has; all
/// where there are no keys. Nulls are equal here.
fn sharing(
    input: &[ArrayRef],
    values: &[ArrayRef],
    wanted: &BTreeSet<u32>,
    rows: usize,
) -> Result<BTreeSet<u32>> {
    let all = 0..u32::try_from(rows).expect("invariant: checked where rows come in");
    if input.is_empty() {
        return Ok(all.collect());
    }
    let fields = input.iter().map(|column| SortField::new(column.data_type().clone()));
    let converter = RowConverter::new(fields.collect())?;
    let places = UInt32Array::from_iter_values(wanted.iter().copied());
    let values: Vec<ArrayRef> =
        values.iter().map(|column| take(column, &places, None)).collect::<Result<_, _>>()?;
    let asked = converter.convert_columns(&values)?;
    let asked: HashSet<OwnedRow> = asked.iter().map(|row| row.owned()).collect();
    let given = converter.convert_columns(input)?;
    Ok(all.filter(|row| asked.contains(&given.row(*row as usize).owned())).collect())
}

/// The values of expressions over the rows of a node, in the order of these.
fn values(state: &SessionState, input: &Traced, expressions: &[Expr]) -> Result<Vec<ArrayRef>> {
    if expressions.is_empty() {
        return Ok(Vec::new());
    }
    let named = expressions.iter().enumerate();
    let named = named.map(|(at, expression)| expression.clone().alias(format!("__key_{at}")));
    let row = Expr::Column(Column::new_unqualified(row_name(0)));
    let plan = LogicalPlanBuilder::from(scan(&input.rows, input.schema(), Some(0))?)
        .project(named.chain([row]))?
        .build()?;
    let (rows, _) = numbered(state, &plan, 1)?;
    Ok(rows.columns().to_vec())
}

/// The rows of a grouping's input that are in one of the groups `wanted`.
pub(super) fn members(
    state: &SessionState,
    node: &Traced,
    aggregate: &Aggregate,
    wanted: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>> {
    let input = &node.inputs[0];
    let rows = input.rows.num_rows();
    let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice() else {
        let keys = values(state, input, &aggregate.group_expr)?;
        let width = keys.len();
        return sharing(&keys, &node.rows.columns()[..width], wanted, rows);
    };
    // A row of a set that leaves a key out is in it whatever the key.
    let expressions: Vec<Expr> = sets_keys(sets);
    let keys = values(state, input, &expressions)?;
    let ids = grouping_ids(node.rows.column(keys.len()));
    let mut found = BTreeSet::new();
    let mut by_set: BTreeMap<u64, BTreeSet<u32>> = BTreeMap::new();
    for row in wanted {
        by_set.entry(ids[*row as usize]).or_default().insert(*row);
    }
    for (id, wanted) in by_set {
        let width = keys.len();
        let kept: Vec<usize> = (0..width).filter(|key| id >> (width - 1 - key) & 1 == 0).collect();
        let own: Vec<ArrayRef> = kept.iter().map(|key| keys[*key].clone()).collect();
        let given: Vec<ArrayRef> = kept.iter().map(|key| node.rows.column(*key).clone()).collect();
        found.extend(sharing(&own, &given, &wanted, rows)?);
    }
    Ok(found)
}

fn sets_keys(sets: &GroupingSet) -> Vec<Expr> {
    sets.distinct_expr().into_iter().cloned().collect()
}

/// Bits of the keys that a set leaves out, the first key highest.
fn grouping_ids(column: &ArrayRef) -> Vec<u64> {
    let column = column.as_ref();
    if let Some(ids) = column.as_primitive_opt::<UInt8Type>() {
        return ids.values().iter().map(|id| u64::from(*id)).collect();
    }
    if let Some(ids) = column.as_primitive_opt::<UInt16Type>() {
        return ids.values().iter().map(|id| u64::from(*id)).collect();
    }
    if let Some(ids) = column.as_primitive_opt::<UInt32Type>() {
        return ids.values().iter().map(|id| u64::from(*id)).collect();
    }
    column.as_primitive::<UInt64Type>().values().to_vec()
}

/// The rows of a window's input that share a partition with one of the rows `own`.
pub(super) fn partition(
    state: &SessionState,
    input: &Traced,
    by: &[Expr],
    own: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>> {
    let keys = values(state, input, by)?;
    sharing(&keys, &keys, own, input.rows.num_rows())
}

/// The rows of the right side of a semi or mark join that match one of the rows `own` of its left side.
pub(super) fn matches(
    state: &SessionState,
    node: &Traced,
    own: &BTreeSet<u32>,
) -> Result<BTreeSet<u32>> {
    let LogicalPlan::Join(join) = &node.plan else { return Ok(BTreeSet::new()) };
    let [left, right, ..] = node.inputs.as_slice() else { return Ok(BTreeSet::new()) };
    let rows: RecordBatch = super::take(&left.rows, own)?;
    let reversed = datafusion::logical_expr::Join::try_new(
        scan(&rows, left.schema(), None)?.into(),
        scan(&right.rows, right.schema(), Some(0))?.into(),
        join.on.clone(),
        join.filter.clone(),
        datafusion::common::JoinType::RightSemi,
        join.join_constraint,
        join.null_equality,
        false,
    )?;
    let (_, from) = numbered(state, &LogicalPlan::Join(reversed), 1)?;
    let matching = from.into_iter().flatten().next();
    Ok(matching.map(|rows| rows.values().iter().copied().collect()).unwrap_or_default())
}

/// Rows that several places of a plan read, each row once; those of one place as they are.
pub(super) fn distinct(parts: Vec<RecordBatch>) -> Result<RecordBatch> {
    let rows = concat_batches(parts[0].schema_ref(), &parts)?;
    if parts.len() == 1 || rows.num_columns() == 0 {
        return Ok(rows);
    }
    let fields = rows.columns().iter().map(|column| SortField::new(column.data_type().clone()));
    let encoded = RowConverter::new(fields.collect())?.convert_columns(rows.columns())?;
    let mut seen = HashSet::new();
    let first = (0..rows.num_rows()).filter(|row| seen.insert(encoded.row(*row)));
    let first = first.map(|row| u32::try_from(row).expect("invariant: rows are numbered by u32"));
    super::take(&rows, &first.collect())
}
