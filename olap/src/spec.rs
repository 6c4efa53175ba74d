//! What a mart is: a name, columns, and how its rows are kept.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use millrace_events::catalogue;
use sha2::{Digest, Sha256};

/// How a mart keeps rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MartKind {
    /// One row per key, the newest: `ReplacingMergeTree(_position, _deleted)`; read it with `final`.
    Current,
    /// Every row that came (`_weight` 1) or went (−1), appended.
    History,
    /// Events as they were, one row per position, for a time.
    Raw,
}

/// A table to be kept.
#[derive(Clone, Debug)]
pub struct MartSpec {
    /// Name of the table.
    pub name: String,
    pub kind: MartKind,
    /// Comment of the table.
    pub title: String,
    /// Columns, without those the loader adds.
    pub schema: SchemaRef,
    /// Columns that tell rows apart; a current mart has some.
    pub key: Vec<String>,
    /// Comments of columns, by name.
    pub column_docs: BTreeMap<String, String>,
    /// Changes when the table must be filled anew.
    pub fingerprint: String,
}

/// One raw table per event of the catalogue: `raw_` and the event's relation.
#[must_use]
pub fn raw_marts() -> Vec<MartSpec> {
    let spec = |event: &&catalogue::EventSpec| {
        let schema = event.arrow_schema();
        let digest = Sha256::digest(format!("{schema:?}"));
        let mut column_docs: BTreeMap<String, String> = [
            ("position", "Number of the event in commit order"),
            ("event_id", "The event, once and for all"),
            ("event_at", "When it was recorded"),
            ("source_service", "The service that recorded it"),
        ]
        .map(|(name, doc)| (name.to_owned(), doc.to_owned()))
        .into();
        let documented = event.columns().into_iter().filter(|column| !column.doc.is_empty());
        column_docs
            .extend(documented.map(|column| (column.name.to_owned(), column.doc.to_owned())));
        MartSpec {
            name: format!("raw_{}", event.table_name()),
            kind: MartKind::Raw,
            title: event.doc.to_owned(),
            schema,
            key: vec!["position".to_owned()],
            column_docs,
            fingerprint: hex::encode(&digest[..8]),
        }
    };
    catalogue::EVENTS.iter().map(spec).collect()
}
