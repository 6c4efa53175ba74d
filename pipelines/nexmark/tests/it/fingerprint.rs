//! The hash, by known rows that the peers check too (`tests/fingerprints.tsv`).

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    TimestampMillisecondArray,
};
use millrace_engine::Delta;
use millrace_nexmark::{Error, Fingerprint};

fn row(columns: Vec<ArrayRef>) -> RecordBatch {
    let names = ["a", "b", "c", "d"];
    RecordBatch::try_from_iter(names.into_iter().zip(columns)).expect("columns of one length")
}

fn hash(columns: Vec<ArrayRef>) -> u64 {
    let mut sum = Fingerprint::default();
    sum.add(&Delta::inserts(row(columns))).expect("types that have a hash");
    sum.value()
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringArray::from(vec![value]))
}

fn number(value: i64) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

/// A column as the file of known hashes writes it: its kind, and after a space its value.
fn column(text: &str) -> ArrayRef {
    let (kind, value) = text.split_once(' ').unwrap_or((text, ""));
    match kind {
        "integer" => number(value.parse().expect("an integer")),
        "float" => {
            let value: f64 = value.parse().expect("a float");
            Arc::new(Float64Array::from(vec![value]))
        }
        "text" => self::text(value),
        "null" => Arc::new(Int64Array::from(vec![None])),
        other => panic!("no kind of column is called {other}"),
    }
}

#[test]
fn known_rows_have_known_hashes() {
    let known: Vec<&str> = include_str!("../fingerprints.tsv").lines().collect();
    assert_eq!(known.len(), 14);
    for line in known {
        let (expected, columns) = line.split_once('\t').unwrap();
        let found = hash(columns.split('\t').map(column).collect());
        assert_eq!(format!("{found:016x}"), expected, "{columns}");
    }
}

#[test]
fn a_value_has_one_hash_whatever_the_column_that_holds_it() {
    let times = TimestampMillisecondArray::from(vec![7]);
    assert_eq!(hash(vec![Arc::new(times)]), hash(vec![number(7)]));
    assert_eq!(hash(vec![Arc::new(Date32Array::from(vec![7]))]), hash(vec![number(7)]));
    let view = StringViewArray::from(vec!["longer than twelve bytes"]);
    assert_eq!(hash(vec![Arc::new(view)]), hash(vec![text("longer than twelve bytes")]));
}

#[test]
fn rows_that_come_and_go_leave_nothing() {
    let batch = row(vec![Arc::new(Int64Array::from(vec![1, 2, 3]))]);
    let mut sum = Fingerprint::default();
    sum.add(&Delta::weighted(batch.clone(), vec![2, 1, 1])).unwrap();
    assert_eq!(sum.rows(), 4);
    sum.add(&Delta::weighted(batch, vec![-2, -1, 0])).unwrap();
    assert_eq!(sum.value(), hash(vec![number(3)]));
    assert_eq!(sum.rows(), 1);
}

#[test]
fn a_column_of_another_type_is_refused_by_name() {
    let batch = row(vec![Arc::new(arrow::array::BooleanArray::from(vec![true]))]);
    let refused = Fingerprint::default().add(&Delta::inserts(batch));
    assert!(matches!(refused, Err(Error::Column { column, .. }) if column == "a"));
}
