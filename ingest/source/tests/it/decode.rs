//! JSON to Arrow: exactly what serde_json and arrow-json read, and never a panic.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use bytes::Bytes;
use millrace_events::{Position, catalogue};
use millrace_source::{Cut, Cutter, Decoder, EventType, Message};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::given::{self, Given};

type Change = Box<dyn Fn(&mut Value)>;
type Poison = fn(&mut Message);

fn decode(log: &[Message]) -> Result<Vec<(Arc<str>, RecordBatch)>, String> {
    let mut decoder = Decoder::default();
    for transaction in log.chunk_by(|before, _| before.number < before.size) {
        decoder.transaction(transaction).map_err(|(at, reason)| format!("{at}: {reason}"))?;
    }
    Ok(decoder.finish().expect("columns that fit").tables)
}

/// The same rows by way of serde_json (which knows nothing of schemas) and arrow-json.
fn decode_twice(log: &[Message], table: &str) -> RecordBatch {
    let spec = catalogue::EVENTS.iter().find(|spec| spec.table_name() == table).expect("a table");
    let payload = DataType::Struct(spec.columns().iter().map(|column| column.field()).collect());
    let at = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("event_id", DataType::Utf8, false),
        Field::new("timestamp", at, false),
        Field::new("source_service", DataType::Utf8, false),
        Field::new("payload", payload, false),
    ]);
    let messages = log.iter().filter(|message| message.event_type.as_str() == spec.event_type);
    let mut decoder = arrow_json::ReaderBuilder::new(schema.into())
        .with_batch_size(log.len())
        .build_decoder()
        .expect("a decoder");
    let mut positions = Vec::new();
    for message in messages {
        positions.push(message.position.0 as i64);
        decoder.decode(message.value.as_deref().expect("an envelope")).expect("json");
    }
    let rows = decoder.flush().expect("rows").expect("some rows");
    let mut columns: Vec<_> = vec![
        Arc::new(arrow::array::Int64Array::from(positions)) as _,
        rows.column(0).clone(),
        rows.column(1).clone(),
        rows.column(2).clone(),
    ];
    columns.extend(rows.column(3).as_struct().columns().iter().cloned());
    RecordBatch::try_new(spec.arrow_schema(), columns).expect("the table's schema")
}

/// The JSON as some other writer would write it: members shuffled, white space, members nobody
/// knows.
fn rewritten(value: &Value, given: &mut Given) -> String {
    let space = |given: &mut Given| ["", " ", "\n\t"][given.below(3) as usize];
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            if given.below(2) == 0 {
                members.push(("later".into(), json!({"a": [1, null, "x\\\"}"], "b": -1.5e-7})));
            }
            for index in (1..members.len()).rev() {
                members.swap(index, given.below(index as u32 + 1) as usize);
            }
            let members: Vec<String> = members
                .iter()
                .map(|(key, value)| {
                    format!(
                        "{}{}{}:{}{}",
                        space(given),
                        json!(key),
                        space(given),
                        space(given),
                        rewritten(value, given)
                    )
                })
                .collect();
            format!("{{{}{}}}", members.join(","), space(given))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| rewritten(item, given)).collect();
            format!("[{}{}]", space(given), items.join(","))
        }
        other => other.to_string(),
    }
}

/// One event on its own, its envelope changed.
fn changed(message: &Message, change: impl FnOnce(&mut Value)) -> Message {
    let mut envelope: Value =
        serde_json::from_slice(message.value.as_deref().expect("an envelope")).expect("json");
    change(&mut envelope);
    let value = Some(Bytes::from(envelope.to_string()));
    Message { number: 1, size: 1, value, ..message.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn decodes_as_arrow_json_does(seed: u64, transactions in 1_usize..30) {
        let mut given = Given::seed(seed);
        let log = given::log((0..transactions).map(|_| given.transaction()).collect::<Vec<_>>());
        for (name, rows) in decode(&log).map_err(TestCaseError::fail)? {
            prop_assert_eq!(&rows, &decode_twice(&log, &name));
        }
    }

    #[test]
    fn order_of_members_white_space_and_unknown_members_do_not_matter(seed: u64) {
        let mut given = Given::seed(seed);
        let log = given::log((0..10).map(|_| given.transaction()).collect::<Vec<_>>());
        let odd: Vec<Message> = log
            .iter()
            .map(|message| {
                // Numbers of at most 15 digits come back from serde_json's doubles unchanged.
                let envelope: Value = serde_json::from_slice(message.value.as_deref().expect("one")).expect("json");
                let value = Some(Bytes::from(rewritten(&envelope, &mut given)));
                Message { value, ..message.clone() }
            })
            .collect();
        prop_assert_eq!(decode(&odd).map_err(TestCaseError::fail)?, decode(&log).map_err(TestCaseError::fail)?);
    }

    /// Bytes cut, flipped, doubled: decoded or refused, and what is around is as if it were not there.
    #[test]
    fn garbage_never_panics_and_leaves_no_trace(seed: u64, damages in 1_usize..40) {
        let mut given = Given::seed(seed);
        let clean = given::log((0..6).map(|_| given.transaction()).collect::<Vec<_>>());
        let mut decoder = Decoder::default();
        let expected = decode(&clean).map_err(TestCaseError::fail)?;
        for (index, transaction) in clean.chunk_by(|before, _| before.number < before.size).enumerate() {
            for _ in 0..damages {
                let mut poisoned = transaction.to_vec();
                let last = poisoned.len() - 1;
                let mut bytes = poisoned[last].value.as_deref().expect("one").to_vec();
                let at = given.below(bytes.len() as u32) as usize;
                match given.below(4) {
                    0 => bytes.truncate(at),
                    1 => bytes[at] ^= 1 << given.below(8),
                    2 => bytes.insert(at, b"{}[]\",:\\0-.ne\xff"[given.below(14) as usize]),
                    _ => drop(bytes.remove(at)),
                }
                poisoned[last].value = Some(bytes.into());
                let json = serde_json::from_slice::<Value>(poisoned[last].value.as_deref().expect("one"));
                let decoded = Decoder::default().transaction(&poisoned);
                prop_assert!(json.is_ok() || decoded.is_err(), "transaction {} is no JSON but was decoded", index);
                if decoded.is_err() {
                    prop_assert!(decoder.transaction(&poisoned).is_err());
                }
            }
            prop_assert!(decoder.transaction(transaction).is_ok());
        }
        let found = decoder.finish().expect("columns that fit").tables;
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn what_does_not_fit_exactly_is_refused_by_name() {
    let mut given = Given::seed(21);
    let invoice = &given::log([vec![given.invoice(3)]])[0];
    let journal = &given::log([vec![given.journal(3)]])[0];
    let cases: Vec<(&Message, Change, &str)> = vec![
        (
            invoice,
            Box::new(|it| it["payload"]["total"] = json!(1.005)),
            "payload.total: 1.005 has more than 2 decimal places",
        ),
        (
            invoice,
            Box::new(|it| it["payload"]["total"] = json!("1,5")),
            "payload.total: not a number",
        ),
        (
            invoice,
            Box::new(|it| it["payload"]["total"] = json!(null)),
            "payload.total: not a number",
        ),
        (
            invoice,
            Box::new(|it| it["payload"]["total"] = json!("99999999999999999.00")),
            "payload.total: 99999999999999999.00 has more than 16 digits before the point",
        ),
        (
            invoice,
            Box::new(|it| it["payload"]["business_date"] = json!("2026-02-30")),
            "payload.business_date: \"2026-02-30\" is not a date: write YYYY-MM-DD",
        ),
        (
            invoice,
            Box::new(|it| it["payload"]["business_hour"] = json!(1.0)),
            "payload.business_hour: 1.0 is not a whole number",
        ),
        (
            invoice,
            Box::new(|it| it["payload"]["business_hour"] = json!(3_000_000_000_u32)),
            "payload.business_hour: 3000000000 does not fit 32 bits",
        ),
        (
            invoice,
            Box::new(|it| it["payload"]["shop_id"] = json!("S01")),
            "payload.shop_id: \"S01\" is not a UUID",
        ),
        (
            invoice,
            Box::new(|it| it["payload"]["tenders"][1]["tender"] = json!("gold")),
            "payload.tenders[1].tender: \"gold\" is none of its words",
        ),
        (
            invoice,
            Box::new(|it| {
                drop(it["payload"]["lines"][2].as_object_mut().expect("a line").remove("quantity"))
            }),
            "payload.lines[2].quantity: missing",
        ),
        (invoice, Box::new(|it| it["payload"] = json!([])), "payload: "),
        (
            invoice,
            Box::new(|it| it["version"] = json!("v2")),
            "version: \"v2\", but \"v1\" is what can be decoded",
        ),
        (
            invoice,
            Box::new(|it| it["event_type"] = json!("invoice.voided")),
            "event_type: \"invoice.voided\"",
        ),
        (
            invoice,
            Box::new(|it| it["event_id"] = json!("0190c0de-0000-7000-8000-000000000001")),
            "event_id: ",
        ),
        (
            invoice,
            Box::new(|it| drop(it.as_object_mut().expect("an envelope").remove("payload"))),
            "payload: missing",
        ),
        (
            journal,
            Box::new(|it| it["payload"]["posted_at"] = json!("yesterday")),
            "payload.posted_at: \"yesterday\" is not a time",
        ),
    ];
    for (message, change, reason) in cases {
        let refused = decode(&[changed(message, |it| change(it))]).expect_err(reason);
        assert!(
            refused.starts_with(&format!("1: {reason}")),
            "{refused:?} does not start with {reason:?}"
        );
    }
    let twice = Bytes::from_static(br#"{"version":"v1","version":"v1"}"#);
    let refused = decode(&[Message { value: Some(twice), ..invoice.clone() }]);
    assert_eq!(refused, Err("1: version: given twice".to_owned()));
    let deep = Bytes::from(format!("{{\"x\":{}", "[".repeat(100_000)));
    let refused =
        decode(&[Message { value: Some(deep), ..invoice.clone() }]).expect_err("too deep");
    assert!(refused.contains("nested deeper"), "{refused}");
}

#[test]
fn numbers_are_taken_from_text_and_options_may_be_left_out() {
    let mut given = Given::seed(22);
    let invoice = &given::log([vec![given.invoice(1)]])[0];
    let message = changed(invoice, |it| {
        it["payload"]["total"] = json!("9999999999999999.99");
        it["payload"]["shop_id"] = json!("0190C0DE-0000-7000-8000-00000000000A");
        it["payload"]["issued_at"] = json!("2026-03-01T15:00:00.123456789+05:30");
        drop(it["payload"].as_object_mut().expect("a payload").remove("till"));
    });
    let tables = decode(&[message]).expect("decodable");
    let rows = &tables[0].1;
    let column = |name: &str| rows.column_by_name(name).expect(name).clone();
    let total = column("total").as_primitive::<arrow::datatypes::Decimal128Type>().value(0);
    assert_eq!(total, 999_999_999_999_999_999);
    assert_eq!(
        column("shop_id").as_string::<i32>().value(0),
        "0190c0de-0000-7000-8000-00000000000a"
    );
    let at =
        column("issued_at").as_primitive::<arrow::datatypes::TimestampMicrosecondType>().value(0);
    assert_eq!(at, 1_772_357_400_123_456);
    assert!(column("till").is_null(0));
}

#[test]
fn poison_inside_a_transaction_takes_all_of_it_and_nothing_else() {
    let mut given = Given::seed(23);
    let sale = |given: &mut Given| vec![given.stock(2), given.journal(2), given.invoice(2)];
    let clean = given::log((0..5).map(|_| sale(&mut given)).collect::<Vec<_>>());
    let kinds: [(Poison, &str); 3] = [
        (|it| it.value = Some(Bytes::from_static(b"{\"event_id\":")), "position 8: event_id: "),
        (|it| it.value = None, "position 8: a tombstone"),
        (
            |it| it.event_type = EventType::of("journal.torn"),
            "position 8: unknown event type \"journal.torn\"",
        ),
    ];
    let others: Vec<Message> =
        clean.iter().filter(|it| !(7..=9).contains(&it.position.0)).cloned().collect();
    let expected = decode(&others).expect("clean transactions");
    for (poison, reason) in kinds {
        let mut log = clean.clone();
        poison(&mut log[7]);
        let cut = Cutter::new(Cut::default()).cut(&log, Default::default()).expect("an epoch");
        assert_eq!(cut.epoch.tables, expected);
        assert_eq!((cut.epoch.cut.applied, cut.epoch.cut.dead_lettered), (12, 3));
        assert_eq!(cut.epoch.last_position, Position(15));
        let [letter] = &cut.dead_letters[..] else { panic!("one dead letter") };
        assert_eq!((letter.id, letter.last_position), (Position(7), Position(9)));
        for event in &letter.events {
            assert!(event.reason.starts_with(reason), "{}", event.reason);
        }
        let kept: Vec<_> = letter
            .events
            .iter()
            .map(|event| event.value.as_ref().and_then(|it| it.bytes()))
            .collect();
        let were: Vec<_> =
            log[6..9].iter().map(|it| it.value.as_deref().map(<[u8]>::to_vec)).collect();
        assert_eq!(kept, were);
    }
}
