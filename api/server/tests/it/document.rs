//! The whole OpenAPI document, kept beside this test: a change of the API shows in review.
//!
//! After a change that is meant: `UPDATE_SNAPSHOTS=1 cargo t -p millrace-server document`.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Server, run};

#[test]
fn the_document_is_the_one_that_was_agreed_on() {
    run(async {
        let server = Server::start().await;
        let response = server.get("/openapi.json").send().await.expect("an answer");
        let served = response.text().await.expect("text") + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &served).expect("a writable checkout");
        }
        let agreed = std::fs::read_to_string(&path).unwrap_or_default();
        let differs = served.lines().zip(agreed.lines()).find(|(served, agreed)| served != agreed);
        assert_eq!(differs, None, "first line that differs (served, agreed)");
        assert_eq!(served.lines().count(), agreed.lines().count());
    });
}

#[test]
fn every_operation_says_who_may_call_it_and_how_it_fails() {
    run(async {
        let server = Server::start().await;
        let response = server.get("/openapi.json").send().await.expect("an answer");
        let document: Value = response.json().await.expect("JSON");
        assert_eq!(document["openapi"], "3.1.0");
        assert_eq!(document["components"]["securitySchemes"]["access_token"]["scheme"], "bearer");
        assert_eq!(document["security"][0]["access_token"], serde_json::json!([]));
        let mut names = std::collections::BTreeSet::new();
        let mut count = 0;
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                count += 1;
                let name = format!("{method} {path}");
                let problem =
                    &operation["responses"]["default"]["content"]["application/problem+json"];
                assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{name}");
                assert!(operation["summary"].is_string(), "{name} has a summary");
                assert!(operation["tags"][0].is_string(), "{name} has a tag");
                let id = operation["operationId"].as_str().expect("an id").to_owned();
                assert!(names.insert(id), "{name} shares its operation id");
                let is_open = operation["security"] == serde_json::json!([{}]);
                assert_eq!(is_open, path.starts_with("/auth/"), "{name}");
            }
        }
        assert!(count >= 7, "{count} operations");
        references(&document, &mut |reference| {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        });
    });
}

#[test]
fn words_are_written_as_the_api_takes_them() {
    run(async {
        let server = Server::start().await;
        let response = server.get("/openapi.json").send().await.expect("an answer");
        let document: Value = response.json().await.expect("JSON");
        let schemas = &document["components"]["schemas"];
        assert_eq!(schemas["TenderKind"]["enum"], json!(["cash", "card", "upi", "wallet"]));
        let lists = words(&document);
        assert!(lists.len() >= 3, "{lists:?}");
        for word in lists.concat() {
            let is_plain = word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(is_plain, "{word:?} is a Rust name");
        }
    });
}

/// Every `enum` in the document.
fn words(value: &Value) -> Vec<Vec<String>> {
    let own = value.get("enum").and_then(Value::as_array).map(|list| {
        list.iter().map(|word| word.as_str().expect("a word").to_owned()).collect::<Vec<_>>()
    });
    let below: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Object(members) => Box::new(members.values()),
        Value::Array(items) => Box::new(items.iter()),
        _ => Box::new(std::iter::empty()),
    };
    own.into_iter().chain(below.flat_map(words)).collect()
}

fn references(value: &Value, check: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                check(reference);
            }
            members.values().for_each(|member| references(member, check));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, check)),
        _ => {}
    }
}
