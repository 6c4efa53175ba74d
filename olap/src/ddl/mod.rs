//! `create table` from a mart's columns.

mod types;

use arrow::datatypes::Field;

use crate::{LoaderOptions, MartKind, MartSpec, Result};

/// Version of a current row: the last position it includes. Position of a history row's epoch end.
pub(crate) const POSITION: &str = "_position";
pub(crate) const DELETED: &str = "_deleted";
pub(crate) const WEIGHT: &str = "_weight";
/// Where the loader notes how far it is.
pub(crate) const PROGRESS: &str = "mart_progress";

/// Tables with such a suffix are being filled to replace the one without.
pub(crate) const NEXT: &str = "__next";

pub(crate) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

pub(crate) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn column(mart: &MartSpec, field: &Field) -> Result<String> {
    let data_type = types::of(&mart.name, field)?;
    let comment = match mart.column_docs.get(field.name()) {
        Some(doc) => format!(" comment {}", text(doc)),
        None => String::new(),
    };
    Ok(format!("    {} {data_type}{comment}", quote(field.name())))
}

/// The statement that makes `table` for `mart`. Its comment holds title and `identity`, by which a
/// loader knows whether the table is the one it filled.
///
/// # Errors
/// [`crate::Error::Type`] when a column has no type in ClickHouse.
pub fn create_table(
    mart: &MartSpec,
    table: &str,
    identity: &str,
    options: &LoaderOptions,
) -> Result<String> {
    let mut columns: Vec<String> =
        mart.schema.fields().iter().map(|field| column(mart, field)).collect::<Result<_>>()?;
    let key: Vec<String> = mart.key.iter().map(|name| quote(name)).collect();
    let mut settings = vec!["non_replicated_deduplication_window = 1000".to_owned()];
    let has_nullable_key =
        mart.schema.fields().iter().any(|f| f.is_nullable() && mart.key.contains(f.name()));
    if has_nullable_key {
        settings.push("allow_nullable_key = 1".to_owned());
    }
    let shape = match mart.kind {
        MartKind::Current => {
            columns.push(format!("    {POSITION} UInt64 comment 'Last position the row includes'"));
            columns.push(format!("    {DELETED} UInt8 comment '1 once the key is gone'"));
            let key = key.join(", ");
            format!("engine = ReplacingMergeTree({POSITION}, {DELETED})\norder by ({key})")
        }
        MartKind::History => {
            columns.push(format!("    {WEIGHT} Int8 comment '1: the row came; -1: it went'"));
            format!("engine = MergeTree\norder by ({})", quote("position"))
        }
        MartKind::Raw => format!(
            "engine = ReplacingMergeTree\npartition by toYYYYMM(event_at)\norder by (position)\n\
             ttl toDateTime(event_at) + interval {} day",
            options.raw_days_kept
        ),
    };
    Ok(format!(
        "create table if not exists {}.{} (\n{}\n)\n{shape}\nsettings {}\ncomment {}",
        quote(&options.connection.database),
        quote(table),
        columns.join(",\n"),
        settings.join(", "),
        text(&format!("{} [{identity}]", mart.title)),
    ))
}

/// Statements that make the database and the loader's own table.
#[must_use]
pub fn database_tables(database: &str) -> Vec<String> {
    let database = quote(database);
    vec![
        format!("create database if not exists {database} engine = Atomic"),
        format!(
            "create table if not exists {database}.{PROGRESS} (\n    \
             mart String comment 'Table this row is about',\n    \
             identity String comment 'Which filling of the table: fingerprint of the view and lineage of the log',\n    \
             position UInt64 comment 'All events up to here are included',\n    \
             epoch UInt64,\n    \
             frontier_lsn String comment 'All commits up to here are included; empty while unknown',\n    \
             as_of Nullable(DateTime64(6, 'UTC')) comment 'Commit time of the newest event included',\n    \
             loaded_at DateTime64(6, 'UTC')\n\
             )\nengine = ReplacingMergeTree(position)\norder by (mart, identity)\n\
             comment 'How far each mart is'"
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Schema};
    use secrecy::SecretString;

    use super::*;
    use crate::{Connection, raw_marts};

    fn options() -> LoaderOptions {
        LoaderOptions::new(Connection::new("http://localhost", "a", SecretString::from("b")))
    }

    #[test]
    fn a_current_mart_replaces_by_key_and_position() {
        let mart = MartSpec {
            name: "live_x".into(),
            kind: MartKind::Current,
            title: "X's".into(),
            schema: Arc::new(Schema::new(vec![
                Field::new("shop_id", DataType::Utf8, false),
                Field::new("revenue", DataType::Decimal128(28, 2), true),
            ])),
            key: vec!["shop_id".into()],
            column_docs: [("revenue".to_owned(), "Net".to_owned())].into(),
            fingerprint: "f".into(),
        };
        let sql = create_table(&mart, "live_x", "f/l", &options()).unwrap();
        assert_eq!(
            sql,
            "create table if not exists `millrace`.`live_x` (\n    `shop_id` String,\n    \
             `revenue` Nullable(Decimal(28, 2)) comment 'Net',\n    \
             _position UInt64 comment 'Last position the row includes',\n    \
             _deleted UInt8 comment '1 once the key is gone'\n)\n\
             engine = ReplacingMergeTree(_position, _deleted)\norder by (`shop_id`)\n\
             settings non_replicated_deduplication_window = 1000\ncomment 'X\\'s [f/l]'"
        );
    }

    #[test]
    fn every_event_has_a_raw_table() {
        for mart in raw_marts() {
            let sql = create_table(&mart, &mart.name, "i", &options()).unwrap();
            assert!(sql.contains("interval 730 day"), "{sql}");
        }
        let invoices = raw_marts().into_iter().find(|mart| mart.name == "raw_invoice_issued");
        let sql = create_table(&invoices.unwrap(), "t", "i", &options()).unwrap();
        assert!(
            sql.contains("`tenders` Array(Tuple(`tender` String, `amount` Decimal(18, 2)"),
            "{sql}"
        );
    }
}
