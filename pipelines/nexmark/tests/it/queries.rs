//! Every query, kept true epoch by epoch, against batch SQL.

use millrace_engine::EngineConfig;
use millrace_nexmark::{Batch, Error, Incremental, QUERIES, cut};

const EVENTS: u64 = 20_000;
const EPOCH_EVENTS: u64 = 3_000;

/// What the engine has no operators for, and would run again with each change if it were let.
const UNSUPPORTED: &[&str] = &["q9", "q11", "q15", "q16", "q18", "q19"];

#[tokio::test]
async fn every_query_equals_batch_sql() {
    let epochs = cut(EVENTS, EPOCH_EVENTS).unwrap();
    assert_eq!(epochs.len(), 7);
    let mut refused = Vec::new();
    for query in QUERIES {
        let mut run = match Incremental::new(query, EngineConfig::default()) {
            Ok(run) => run,
            Err(Error::Engine(error)) if error.code() == "unsupported" => {
                refused.push(query.name);
                continue;
            }
            Err(error) => panic!("{}: {error}", query.name),
        };
        let mut batch = Batch::new();
        for (place, tables) in epochs.iter().enumerate() {
            run.step(tables).unwrap_or_else(|error| panic!("{}: {error}", query.name));
            batch.add(tables);
            let expected = batch.answer(query).await;
            let expected = expected.unwrap_or_else(|error| panic!("{}: {error}", query.name));
            assert!(expected.rows() > 0, "{} gives no rows in epoch {place}", query.name);
            assert_eq!(run.fingerprint(), expected, "{} in epoch {place}", query.name);
        }
    }
    assert_eq!(refused, UNSUPPORTED);
}
