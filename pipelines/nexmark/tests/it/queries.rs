//! Every query, kept true epoch by epoch, against batch SQL.

use millrace_engine::EngineConfig;
use millrace_nexmark::{Batch, Incremental, QUERIES, cut};

const EVENTS: u64 = 20_000;
const EPOCH_EVENTS: u64 = 3_000;

#[tokio::test]
async fn every_query_equals_batch_sql() {
    let epochs = cut(EVENTS, EPOCH_EVENTS).unwrap();
    assert_eq!(epochs.len(), 7);
    for query in QUERIES {
        // No part of a query may be run again with each change: that would be refused.
        let run = Incremental::new(query, EngineConfig::default());
        let mut run = run.unwrap_or_else(|error| panic!("{}: {error}", query.name));
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
}
