//! Random queries, each a view over tables that change at random.
//!
//! A seed makes a tape of numbers, the tape a query: joins of all kinds, groupings, windows, limits,
//! subqueries, set operations, nested in each other, with one right answer. A query that batch SQL refuses
//! is laid aside; any other must be kept without being computed again with each change, and be the batch answer
//! after every epoch. A tape that fails is shrunk to one that makes a plainer query.

mod choices;
mod expression;
mod scope;
mod subquery;
mod writer;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use datafusion::datasource::MemTable;
use millrace_oracle::{End, Table, Trial, session};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::sync::Arc;
use writer::Writer;

use crate::seeds::{Again, chosen, on_all_cores};
use crate::world::{World, batch};

const SEEDS: u64 = 1200;
/// With `MILLRACE_TEST_LONG`.
const SEEDS_LONG: u64 = 100_000;
/// Plainer tapes tried once one has failed.
const SHRINKS_MAX: u32 = 400;

/// How a trial tells that batch SQL finds its own plan wrong.
const UNPLANNED: &str = "batch SQL failed and the view did not: SanityCheckPlan";

/// What queries must have come by for the test to mean anything.
const REACHED: [&str; 45] = [
    "aggregate over partition",
    "aggregate with filter",
    "anti join",
    "avg",
    "between",
    "case",
    "common table expression",
    "correlated scalar subquery",
    "cross join",
    "derived table",
    "distinct",
    "distinct aggregate",
    "except",
    "exists",
    "first and last",
    "first and last of partition",
    "first of each",
    "full join",
    "global aggregate",
    "group by",
    "grouping sets",
    "having",
    "in list",
    "in subquery",
    "inner join",
    "intersect",
    "join on more than equality",
    "join without equality",
    "lag and lead",
    "left join",
    "limit",
    "min and max",
    "not exists",
    "not in subquery",
    "ranks",
    "right join",
    "row_number",
    "running sum",
    "scalar subquery",
    "semi join",
    "set operation with all",
    "string_agg",
    "sum",
    "sum up to peers",
    "union",
];

/// The query that a tape makes, and the kinds of SQL in it.
pub fn query(tape: &[u16]) -> (String, BTreeSet<&'static str>) {
    let mut writer = Writer::new(tape);
    let depth = 1 + writer.choices.below(3);
    let query = writer.query(depth);
    (query.sql, writer.reached)
}

/// What became of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fate {
    Kept(BTreeSet<&'static str>),
    /// Batch SQL refuses it, or fails on some rows as the view does.
    Refused(String),
    /// Batch SQL gives differing answers to it.
    Undecided,
}

/// The tables after some epochs of a world.
fn tables(seed: u64) -> Vec<(String, Vec<&'static str>, RecordBatch)> {
    let mut world = World::new(seed);
    for _ in 0..4 {
        world.churn(22);
    }
    let table = |table: &crate::world::Table| {
        let name = table.relation.name.clone();
        let key = match name.as_str() {
            "products" => vec!["product"],
            "shops" => vec!["shop"],
            _ => Vec::new(),
        };
        (name, key, batch(&table.relation.schema, &table.rows))
    };
    world.tables.iter().map(table).collect()
}

/// Why batch SQL does not answer.
async fn refusal(sql: &str, tables: &[(String, Vec<&'static str>, RecordBatch)]) -> Option<String> {
    let context = session();
    for (name, _, rows) in tables {
        let table = MemTable::try_new(rows.schema(), vec![vec![rows.clone()]]);
        let table = Arc::new(table.expect("the rows are of the schema"));
        context.register_table(name.as_str(), table).expect("the name is free");
    }
    let answer = async { context.sql(sql).await?.collect().await };
    answer.await.err().map(|error| error.to_string())
}

async fn try_query(seed: u64, tape: &[u16]) -> Result<Fate, String> {
    let (sql, reached) = query(tape);
    let tables = tables(seed);
    if let Some(refusal) = refusal(&sql, &tables).await {
        return Ok(Fate::Refused(refusal));
    }
    let read = millrace_oracle::referenced_tables(&sql).map_err(|error| error.to_string())?;
    let is_read = |name: &str| read.iter().any(|table| table.table() == name);
    let tables =
        tables.into_iter().filter(|(name, _, _)| is_read(name)).map(|(name, key, rows)| {
            let key: Vec<String> = key.into_iter().map(str::to_owned).collect();
            Table::new(name, rows.schema(), &[rows], &key).expect("the rows have unique keys")
        });
    let trial = Trial {
        name: "random".to_owned(),
        tables: tables.collect(),
        views: Vec::new(),
        sql: sql.clone(),
        epochs: 5,
        churn: if seed.is_multiple_of(5) { 0.0 } else { 0.5 },
        seed,
        verify: true,
        strict: true,
    };
    let outcome = trial.run().await.map_err(|error| format!("refused: {error}\n{sql}"))?;
    match outcome.end {
        End::Same | End::Admissible(_) | End::Unverified => Ok(Fate::Kept(reached)),
        End::Undecided { .. } => Ok(Fate::Undecided),
        End::BothFailed { batch, .. } => Ok(Fate::Refused(batch)),
        // What cannot be planned over some rows is refused too.
        End::Different(difference) if difference.what.starts_with(UNPLANNED) => {
            Ok(Fate::Refused(difference.what))
        }
        End::Different(difference) => Err(format!("{difference}\n{sql}")),
    }
}

/// Tries the query of a seed, and plainer ones when it fails.
fn run(seed: u64) -> Fate {
    let _again = Again { seed, test: "plans" };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without IO can be had");
    let config = Config {
        cases: 1,
        max_shrink_iters: SHRINKS_MAX,
        failure_persistence: None,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let fate = RefCell::new(None);
    let outcome =
        TestRunner::new_with_rng(config, random).run(&vec(any::<u16>(), 60..200), |tape| {
            let found = runtime.block_on(try_query(seed, &tape)).map_err(TestCaseError::fail)?;
            *fate.borrow_mut() = Some(found);
            Ok(())
        });
    match outcome {
        Ok(()) => fate.into_inner().expect("it was tried"),
        Err(TestError::Fail(what, tape)) => panic!("seed {seed}, tape {tape:?}: {what}"),
        Err(error) => panic!("seed {seed}: {error}"),
    }
}

#[test]
fn random_queries_are_kept_through_every_epoch() {
    let fates = on_all_cores(chosen(SEEDS, SEEDS_LONG), run);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut refused, mut undecided) = (BTreeMap::<String, usize>::new(), 0);
    let all = fates.len();
    for fate in fates {
        match fate {
            Fate::Kept(reached) => reached.into_iter().for_each(|what| {
                *counts.entry(what).or_default() += 1;
            }),
            Fate::Refused(why) => {
                *refused.entry(why.chars().take(120).collect()).or_default() += 1;
            }
            Fate::Undecided => undecided += 1,
        }
    }
    eprintln!("{counts:#?}\nrefused {refused:#?}\nundecided {undecided} of {all}");
    if all == 1 {
        return;
    }
    for what in REACHED {
        assert!(counts.contains_key(what), "no query has this: {what}");
    }
    let refused: usize = refused.values().sum();
    assert!(refused * 5 < all, "batch SQL refuses {refused} of {all}");
    assert!(undecided * 50 < all, "{undecided} of {all} have no one answer");
}
