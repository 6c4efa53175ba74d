//! Arrow rows as JSON objects, exactly: decimals as numbers with all their places, dates as
//! `YYYY-MM-DD`, timestamps as RFC 3339 in UTC, null where there is no value.

use arrow::array::RecordBatch;
use arrow::json::WriterBuilder;
use arrow::json::writer::JsonArray;
use serde::Serialize;

use crate::Error;

const TIMESTAMP: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// A JSON array with one object per row.
pub(crate) fn array<'a>(
    batches: impl IntoIterator<Item = &'a RecordBatch>,
) -> Result<Vec<u8>, Error> {
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_timestamp_tz_format(TIMESTAMP.to_owned())
        .with_timestamp_format(TIMESTAMP.to_owned())
        .build::<_, JsonArray>(Vec::new());
    let mut is_empty = true;
    for batch in batches.into_iter().filter(|batch| batch.num_rows() > 0) {
        writer.write(batch)?;
        is_empty = false;
    }
    writer.finish()?;
    Ok(if is_empty { b"[]".to_vec() } else { writer.into_inner() })
}

/// A JSON object: the fields of `head`, which must be an object, and then each named array of rows.
pub(crate) fn object(head: &impl Serialize, arrays: &[(&str, Vec<u8>)]) -> Result<Vec<u8>, Error> {
    let mut json = serde_json::to_vec(head)?;
    assert_eq!(json.pop(), Some(b'}'), "the head of an answer is an object");
    json.reserve(arrays.iter().map(|(name, rows)| name.len() + rows.len() + 4).sum());
    for (name, rows) in arrays {
        if json.len() > 1 {
            json.push(b',');
        }
        json.push(b'"');
        json.extend_from_slice(name.as_bytes());
        json.extend_from_slice(b"\":");
        json.extend_from_slice(rows);
    }
    json.push(b'}');
    Ok(json)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        Date32Array, Decimal128Array, Int64Array, StringArray, TimestampMicrosecondArray,
    };
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};

    use super::*;

    #[test]
    fn values_are_written_exactly() {
        let schema = Schema::new(vec![
            Field::new("amount", DataType::Decimal128(18, 2), true),
            Field::new("quantity", DataType::Decimal128(18, 3), false),
            Field::new("date", DataType::Date32, false),
            Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
            Field::new("name", DataType::Utf8, false),
            Field::new("count", DataType::Int64, false),
        ]);
        let amounts = Decimal128Array::from(vec![Some(999_999_999_999_999_999), Some(-5), None]);
        let batch = RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(amounts.with_precision_and_scale(18, 2).expect("scale")),
                Arc::new(
                    Decimal128Array::from(vec![1_000, 1, 0])
                        .with_precision_and_scale(18, 3)
                        .expect("scale"),
                ),
                Arc::new(Date32Array::from(vec![0, 20_000, -1])),
                Arc::new(
                    TimestampMicrosecondArray::from(vec![0, 1, 1_500_000]).with_timezone("UTC"),
                ),
                Arc::new(StringArray::from(vec!["a\"\n", "ü", ""])),
                Arc::new(Int64Array::from(vec![1, 2, 3])),
            ],
        )
        .expect("batch");
        let json = String::from_utf8(array([&batch]).expect("json")).expect("utf-8");
        assert_eq!(
            json,
            "[{\"amount\":9999999999999999.99,\"quantity\":1.000,\"date\":\"1970-01-01\",\
             \"at\":\"1970-01-01T00:00:00.000000Z\",\"name\":\"a\\\"\\n\",\"count\":1},\
             {\"amount\":-0.05,\"quantity\":0.001,\"date\":\"2024-10-04\",\
             \"at\":\"1970-01-01T00:00:00.000001Z\",\"name\":\"ü\",\"count\":2},\
             {\"amount\":null,\"quantity\":0.000,\"date\":\"1969-12-31\",\
             \"at\":\"1970-01-01T00:00:01.500000Z\",\"name\":\"\",\"count\":3}]"
        );
    }

    #[test]
    fn rows_join_the_head_of_an_answer() {
        let json = object(&serde_json::json!({"position": 3}), &[("rows", b"[]".to_vec())]);
        assert_eq!(json.expect("json"), b"{\"position\":3,\"rows\":[]}");
        let bare = object(&serde_json::json!({}), &[("a", b"[]".to_vec()), ("b", b"[]".to_vec())]);
        assert_eq!(bare.expect("json"), b"{\"a\":[],\"b\":[]}");
    }
}
