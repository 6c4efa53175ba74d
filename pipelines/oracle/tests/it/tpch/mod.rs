//! TPC-H's 22 queries over tiny tables that come, go and change: each view equals batch SQL after every
//! epoch. The texts are those of DataFusion's own tests, limits included.

pub mod generate;

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use datafusion::prelude::{CsvReadOptions, SessionContext};
use generate::Generated;
use millrace_oracle::{End, Table, Trial};

const QUERIES: [&str; 22] = [
    include_str!("queries/q01.sql"),
    include_str!("queries/q02.sql"),
    include_str!("queries/q03.sql"),
    include_str!("queries/q04.sql"),
    include_str!("queries/q05.sql"),
    include_str!("queries/q06.sql"),
    include_str!("queries/q07.sql"),
    include_str!("queries/q08.sql"),
    include_str!("queries/q09.sql"),
    include_str!("queries/q10.sql"),
    include_str!("queries/q11.sql"),
    include_str!("queries/q12.sql"),
    include_str!("queries/q13.sql"),
    include_str!("queries/q14.sql"),
    include_str!("queries/q15.sql"),
    include_str!("queries/q16.sql"),
    include_str!("queries/q17.sql"),
    include_str!("queries/q18.sql"),
    include_str!("queries/q19.sql"),
    include_str!("queries/q20.sql"),
    include_str!("queries/q21.sql"),
    include_str!("queries/q22.sql"),
];

/// The table with its types, without a key unless `keyed`.
async fn table(generated: &Generated, keyed: bool) -> Result<Table> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(format!("{}.csv", generated.name));
    let lines = generated.rows.iter().map(|row| row.join("|") + "\n");
    std::fs::write(&path, lines.collect::<String>())?;
    let text: Vec<_> = generated
        .columns
        .iter()
        .map(|(name, _)| {
            arrow::datatypes::Field::new(*name, arrow::datatypes::DataType::Utf8, true)
        })
        .collect();
    let text = arrow::datatypes::Schema::new(text);
    let options = CsvReadOptions::new().has_header(false).delimiter(b'|').schema(&text);
    let session = SessionContext::new();
    session.register_csv("raw", path.to_str().context("a path")?, options).await?;
    let cast = |(name, sql): &(&str, &str)| match *sql {
        "varchar" => format!("coalesce({name}, '') as {name}"),
        sql => format!("arrow_cast({name}, '{}') as {name}", arrow_type(sql)),
    };
    let columns: Vec<String> = generated.columns.iter().map(cast).collect();
    let rows = session.sql(&format!("select {} from raw", columns.join(", "))).await?;
    let schema = Arc::clone(rows.schema().inner());
    let rows = rows.collect().await?;
    let key: Vec<String> =
        generated.key.iter().filter(|_| keyed).map(|column| (*column).to_owned()).collect();
    Ok(Table::new(generated.name, schema, &rows, &key)?)
}

fn arrow_type(sql: &str) -> &str {
    match sql {
        "bigint" => "Int64",
        "int" => "Int32",
        "date" => "Date32",
        _ => "Decimal128(15, 2)",
    }
}

#[tokio::test]
async fn the_queries_of_tpch_are_kept() -> Result<()> {
    let mut problems = Vec::new();
    let mut fruitful = BTreeSet::new();
    for seed in 1..=2 {
        let mut tables = Vec::new();
        for generated in generate::tables(seed) {
            // As upserts by key and as rows that come and go.
            tables.push(table(&generated, seed % 2 == 1).await?);
        }
        for (at, sql) in QUERIES.iter().enumerate() {
            let number = at + 1;
            let references = millrace_oracle::referenced_tables(sql)?;
            let is_read =
                |table: &&Table| references.iter().any(|name| name.table() == table.name());
            let trial = Trial {
                name: format!("q{number}"),
                tables: tables.iter().filter(is_read).cloned().collect(),
                views: Vec::new(),
                sql: (*sql).to_owned(),
                epochs: 5,
                churn: 0.4,
                seed,
                verify: true,
                strict: true,
            };
            let outcome = trial.run().await.with_context(|| format!("q{number}, seed {seed}"))?;
            let is_right = matches!(outcome.end, End::Same | End::Admissible(_));
            if !is_right {
                problems.push(format!("q{number}, seed {seed}: {:?}", outcome.end));
            }
            let recomputed = outcome.recomputed();
            if !recomputed.is_empty() {
                problems.push(format!("q{number}, seed {seed} recomputes {recomputed:?}"));
            }
            if outcome.rows.iter().any(|rows| rows.num_rows() > 0) {
                fruitful.insert(number);
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let barren: Vec<usize> = (1..=QUERIES.len()).filter(|at| !fruitful.contains(at)).collect();
    assert_eq!(barren, [0; 0], "queries that find nothing with any seed");
    Ok(())
}
