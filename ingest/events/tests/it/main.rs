//! The catalogue holds together: what a command writes, Arrow reads.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, Schema, TimeUnit};
use chrono::{NaiveDate, TimeZone, Utc};
use millrace_events::catalogue::{self, EVENTS};
use millrace_events::event::{AccountType, JournalLine, JournalPosted, MovementReason, TenderKind};
use millrace_events::{Amount, Column, EntryId, Envelope, EnvelopeRef, Event, EventId, ShopId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use utoipa::PartialSchema;
use uuid::Uuid;

fn entry() -> JournalPosted {
    JournalPosted {
        entry_id: EntryId(Uuid::from_u128(7)),
        shop_id: ShopId(Uuid::from_u128(8)),
        currency: "INR".into(),
        business_date: NaiveDate::from_ymd_opt(2026, 3, 1).expect("date"),
        posted_at: Utc.with_ymd_and_hms(2026, 3, 1, 9, 30, 0).single().expect("time"),
        document_type: "invoice".into(),
        document_id: Uuid::from_u128(9),
        reversal_of: None,
        memo: None,
        lines: vec![JournalLine {
            line_no: 1,
            account_code: "1000".into(),
            debit: "12345678901.05".parse().expect("amount"),
            credit: Amount::ZERO,
            party_id: None,
        }],
    }
}

fn json(payload: &JournalPosted) -> String {
    Envelope {
        event_id: EventId(Uuid::from_u128(1)),
        timestamp: payload.posted_at,
        trace_id: "0af7651916cd43dd8448eb211c80319c".into(),
        payload,
    }
    .to_json()
    .expect("envelope")
}

/// The words of an enum as OpenAPI lists them are those that JSON takes and gives, and no others.
fn same_words<T>(all: &[T])
where
    T: PartialSchema + Column + Serialize + DeserializeOwned + PartialEq + Debug,
{
    let schema = serde_json::to_value(T::schema()).expect("JSON");
    let listed = schema["enum"].as_array().expect("words").clone();
    let taken: Vec<T> = listed
        .iter()
        .map(|word| serde_json::from_value(word.clone()).unwrap_or_else(|e| panic!("{word}: {e}")))
        .collect();
    assert_eq!(taken, all);
    assert_eq!(json!(all), json!(listed));
    assert_eq!(T::json_schema()["enum"], json!(listed));
}

#[test]
fn words_are_the_same_in_json_and_in_openapi() {
    same_words(TenderKind::ALL);
    same_words(MovementReason::ALL);
    same_words(AccountType::ALL);
    assert!(serde_json::from_str::<TenderKind>("\"Cash\"").is_err());
}

#[test]
fn event_types_and_tables_are_unique() {
    let types: HashSet<_> = EVENTS.iter().map(|spec| spec.event_type).collect();
    let tables: HashSet<_> = EVENTS.iter().map(|spec| spec.table_name()).collect();
    assert_eq!(types.len(), EVENTS.len());
    assert_eq!(tables.len(), EVENTS.len());
}

#[test]
fn an_envelope_reads_back_as_it_was_written() {
    let written = entry();
    let text = json(&written);
    let envelope: EnvelopeRef<'_> = serde_json::from_str(&text).expect("envelope");
    assert_eq!(envelope.event_type, "journal.posted");
    assert_eq!(envelope.source_service, "finance-service");
    let read: JournalPosted = serde_json::from_str(envelope.payload.get()).expect("payload");
    assert_eq!(read, written);
}

#[test]
fn arrow_decodes_what_a_command_writes() {
    let spec = JournalPosted::spec();
    let payload = <JournalPosted as millrace_events::Column>::data_type();
    let at = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("event_id", DataType::Utf8, false),
        Field::new("timestamp", at, false),
        Field::new("payload", payload, false),
    ]);
    let mut decoder =
        arrow_json::ReaderBuilder::new(Arc::new(schema)).build_decoder().expect("decoder");
    decoder.decode(json(&entry()).as_bytes()).expect("decode");
    let batch = decoder.flush().expect("flush").expect("one row");
    let payload = batch.column_by_name("payload").expect("payload").as_struct();
    assert_eq!(payload.num_columns(), spec.columns().len());
    let lines = payload.column_by_name("lines").expect("lines").as_list::<i32>().value(0);
    let debit = lines.as_struct().column_by_name("debit").expect("debit").clone();
    assert_eq!(debit.as_primitive::<Decimal128Type>().value(0), 1_234_567_890_105);
    assert!(payload.column_by_name("memo").expect("memo").is_null(0));
}

#[test]
fn schemas_require_what_arrow_can_not_leave_out() {
    for spec in EVENTS {
        let schema = spec.json_schema();
        let required = schema["properties"]["payload"]["required"].as_array().expect("required");
        let columns = spec.columns();
        let not_null = columns.iter().filter(|column| !column.nullable).count();
        assert_eq!(required.len(), not_null, "{}", spec.event_type);
        assert_eq!(spec.arrow_schema().fields().len(), columns.len() + 4, "{}", spec.event_type);
    }
    assert!(catalogue::find("no.such").is_none());
}
