//! The rows of a batch for one mart, as they are inserted.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::array::{
    Array, ArrayRef, Int8Array, Int64Array, RecordBatch, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::cmp::gt;
use arrow::compute::{SortColumn, cast, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use arrow::row::{RowConverter, SortField};
use hashbrown::HashSet;
use millrace_events::Position;

use crate::ddl::{DELETED, POSITION, WEIGHT};
use crate::{Error, LoadEpoch, MartKind, MartRows, MartSpec, Result};

/// Rows of `mart` in `epochs` behind `held`, with the columns the loader adds; `None` when there are
/// none. The same positions give the same rows, however they were cut into epochs.
pub(super) fn rows(
    mart: &MartSpec,
    epochs: &[Arc<LoadEpoch>],
    held: Position,
) -> Result<Option<RecordBatch>> {
    let mut pieces = Vec::new();
    for epoch in epochs.iter().filter(|epoch| epoch.position > held) {
        for (_, rows) in epoch.changes.iter().filter(|(name, _)| *name == mart.name) {
            match rows {
                MartRows::Keyed { upserts, deletes } => {
                    pieces.push(versioned(mart, upserts, epoch.position, false)?);
                    pieces.push(versioned(mart, deletes, epoch.position, true)?);
                }
                MartRows::Appended { rows, weights } => {
                    pieces.push(behind(&appended(mart, rows, weights.as_ref())?, held)?);
                }
            }
        }
    }
    pieces.retain(|piece| piece.num_rows() > 0);
    let Some(first) = pieces.first() else { return Ok(None) };
    let all = concat_batches(&first.schema(), &pieces)?;
    match mart.kind {
        MartKind::Current if pieces.len() > 1 => newest(mart, &all).map(Some),
        _ => Ok(Some(all)),
    }
}

/// `rows` in inserts of at most `rows_max`, cut the same way however the rows were ordered.
pub(super) fn parts(rows: RecordBatch, rows_max: usize) -> Result<Vec<RecordBatch>> {
    if rows.num_rows() <= rows_max {
        return Ok(vec![rows]);
    }
    let columns: Vec<SortColumn> = rows
        .columns()
        .iter()
        .filter(|column| !column.data_type().is_nested())
        .map(|column| SortColumn { values: Arc::clone(column), options: None })
        .collect();
    let order = lexsort_to_indices(&columns, None)?;
    let sorted = take_record_batch(&rows, &order)?;
    let starts = (0..sorted.num_rows()).step_by(rows_max);
    Ok(starts.map(|start| sorted.slice(start, rows_max.min(sorted.num_rows() - start))).collect())
}

/// The columns of `rows` as the mart's table has them, with more behind.
fn with_columns(
    mart: &MartSpec,
    rows: &RecordBatch,
    added: Vec<(&str, ArrayRef)>,
) -> Result<RecordBatch> {
    if rows.num_columns() != mart.schema.fields().len() {
        let problem = format!(
            "{} columns came, the table has {}",
            rows.num_columns(),
            mart.schema.fields().len()
        );
        return Err(Error::Columns { mart: mart.name.clone(), problem });
    }
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(rows.num_columns() + added.len());
    for (column, field) in rows.columns().iter().zip(mart.schema.fields()) {
        let is_same = column.data_type() == field.data_type();
        columns.push(if is_same { Arc::clone(column) } else { cast(column, field.data_type())? });
    }
    let mut fields: Vec<Field> =
        mart.schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    for (name, column) in added {
        fields.push(Field::new(name, column.data_type().clone(), false));
        columns.push(column);
    }
    let schema: SchemaRef = Schema::new(fields).into();
    Ok(RecordBatch::try_new(schema, columns)?)
}

fn versioned(
    mart: &MartSpec,
    rows: &RecordBatch,
    position: Position,
    is_deleted: bool,
) -> Result<RecordBatch> {
    let count = rows.num_rows();
    let version: ArrayRef = Arc::new(UInt64Array::from(vec![position.0; count]));
    let deleted: ArrayRef = Arc::new(UInt8Array::from(vec![u8::from(is_deleted); count]));
    with_columns(mart, rows, vec![(POSITION, version), (DELETED, deleted)])
}

fn appended(
    mart: &MartSpec,
    rows: &RecordBatch,
    weights: Option<&Int64Array>,
) -> Result<RecordBatch> {
    if mart.kind == MartKind::Raw {
        return with_columns(mart, rows, vec![]);
    }
    let signs: Int8Array = match weights {
        None => Int8Array::from(vec![1; rows.num_rows()]),
        Some(weights) => weights.values().iter().map(|weight| weight.signum() as i8).collect(),
    };
    let signed = with_columns(mart, rows, vec![(WEIGHT, Arc::new(signs))])?;
    let Some(weights) = weights.filter(|weights| weights.values().iter().any(|w| w.abs() > 1))
    else {
        return Ok(signed);
    };
    // A row that comes several times is several rows.
    let mut indices = Vec::new();
    for (row, weight) in (0_u32..).zip(weights.values()) {
        indices.extend(std::iter::repeat_n(row, weight.unsigned_abs() as usize));
    }
    Ok(take_record_batch(&signed, &UInt32Array::from(indices))?)
}

/// The rows whose event lies behind `held`.
fn behind(rows: &RecordBatch, held: Position) -> Result<RecordBatch> {
    let lacks = || Error::Columns {
        mart: "history".to_owned(),
        problem: "rows have no column position".to_owned(),
    };
    let positions = rows.column_by_name("position").ok_or_else(lacks)?;
    let positions = cast(positions, &DataType::Int64)?;
    let positions = positions.as_primitive::<Int64Type>();
    let held = i64::try_from(held.0).unwrap_or(i64::MAX);
    if positions.values().iter().all(|position| *position > held) {
        return Ok(rows.clone());
    }
    let keep = gt(positions, &Int64Array::new_scalar(held))?;
    Ok(filter_record_batch(rows, &keep)?)
}

/// The last row of each key.
fn newest(mart: &MartSpec, rows: &RecordBatch) -> Result<RecordBatch> {
    let mut key = Vec::with_capacity(mart.key.len());
    for name in &mart.key {
        let column = rows.column_by_name(name).ok_or_else(|| Error::Columns {
            mart: mart.name.clone(),
            problem: format!("no column {name}, which is part of the key"),
        })?;
        key.push(Arc::clone(column));
    }
    let fields = key.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let keys = RowConverter::new(fields)?.convert_columns(&key)?;
    let mut seen = HashSet::with_capacity(rows.num_rows());
    let mut kept: Vec<u32> = Vec::with_capacity(rows.num_rows());
    for (index, row) in (0_u32..).zip(keys.iter()).collect::<Vec<_>>().into_iter().rev() {
        if seen.insert(row.as_ref().to_vec()) {
            kept.push(index);
        }
    }
    kept.reverse();
    if kept.len() == rows.num_rows() {
        return Ok(rows.clone());
    }
    Ok(take_record_batch(rows, &UInt32Array::from(kept))?)
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;
    use arrow::util::pretty::pretty_format_batches;

    use super::*;

    fn spec(kind: MartKind) -> MartSpec {
        MartSpec {
            name: "m".into(),
            kind,
            title: String::new(),
            schema: Arc::new(Schema::new(vec![
                Field::new("position", DataType::Int64, false),
                Field::new("k", DataType::Utf8, false),
            ])),
            key: vec!["k".into()],
            column_docs: Default::default(),
            fingerprint: String::new(),
        }
    }

    fn some(rows: &[(i64, &str)]) -> RecordBatch {
        let positions = Int64Array::from_iter_values(rows.iter().map(|(position, _)| *position));
        let keys = StringArray::from_iter_values(rows.iter().map(|(_, key)| *key));
        RecordBatch::try_new(spec(MartKind::Raw).schema, vec![Arc::new(positions), Arc::new(keys)])
            .unwrap()
    }

    fn epoch(position: u64, rows: MartRows) -> Arc<LoadEpoch> {
        Arc::new(LoadEpoch {
            epoch: position,
            first_position: Position(1),
            position: Position(position),
            frontier: None,
            as_of: None,
            changes: vec![("m".into(), rows)],
        })
    }

    fn shown(rows: &RecordBatch) -> String {
        pretty_format_batches(std::slice::from_ref(rows)).unwrap().to_string()
    }

    #[test]
    fn of_a_key_that_changes_in_several_epochs_the_last_row_is_sent() {
        let epochs = [
            epoch(3, MartRows::Keyed { upserts: some(&[(1, "a"), (2, "b")]), deletes: some(&[]) }),
            epoch(5, MartRows::Keyed { upserts: some(&[(4, "a")]), deletes: some(&[(2, "b")]) }),
        ];
        let sent = rows(&spec(MartKind::Current), &epochs, Position(0)).unwrap().unwrap();
        assert_eq!(
            shown(&sent),
            "+----------+---+-----------+----------+\n\
             | position | k | _position | _deleted |\n\
             +----------+---+-----------+----------+\n\
             | 4        | a | 5         | 0        |\n\
             | 2        | b | 5         | 1        |\n\
             +----------+---+-----------+----------+"
        );
    }

    #[test]
    fn history_behind_what_is_held_is_sent_however_epochs_are_cut() {
        let appended =
            |rows: &[(i64, &str)]| MartRows::Appended { rows: some(rows), weights: None };
        let whole = [epoch(4, appended(&[(1, "a"), (2, "b"), (3, "c"), (4, "d")]))];
        let cut =
            [epoch(2, appended(&[(1, "a"), (2, "b")])), epoch(4, appended(&[(3, "c"), (4, "d")]))];
        let spec = spec(MartKind::History);
        let one = rows(&spec, &whole, Position(2)).unwrap().unwrap();
        let two = rows(&spec, &cut, Position(2)).unwrap().unwrap();
        assert_eq!(one.num_rows(), 2);
        assert_eq!(shown(&one), shown(&two));
    }

    #[test]
    fn parts_are_the_same_in_any_order_of_rows() {
        let ordered = parts(some(&[(1, "a"), (2, "b"), (3, "c")]), 2).unwrap();
        let mixed = parts(some(&[(3, "c"), (1, "a"), (2, "b")]), 2).unwrap();
        let all = |parts: &[RecordBatch]| parts.iter().map(shown).collect::<Vec<_>>();
        assert_eq!(all(&ordered), all(&mixed));
        assert_eq!(ordered.len(), 2);
    }
}
