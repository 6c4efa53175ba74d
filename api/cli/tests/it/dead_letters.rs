//! A transaction with an event that nobody can read: it is kept apart, everything else goes on.

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use sqlx::Connection;

use crate::program::Program;

/// How long a letter may take to be kept.
const KEPT_MAX: Duration = Duration::from_secs(60);

/// What a faulty service commits: an event as it should be, and one with a broken envelope.
const FAULTY: &str = "begin; \
    insert into sales.outbox (recorded_at, event_id, topic, event_type, aggregate_id, envelope) \
    select now(), fresh.id, topic, event_type, aggregate_id, \
           replace(envelope, event_id::text, fresh.id::text) \
      from sales.outbox, (select gen_random_uuid() as id) as fresh \
     where event_type = 'stock.moved' limit 1; \
    insert into sales.outbox (recorded_at, event_id, topic, event_type, aggregate_id, envelope) \
    values (now(), gen_random_uuid(), 'billing.events.v1', 'invoice.issued', 'nobody', '{\"half\": '); \
    commit";

/// The letters, once there are `count`.
async fn letters(program: &Program, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + KEPT_MAX;
    loop {
        let listed = program.run(&["dead-letters", "list"]);
        let letters = listed.as_array().expect("rows").clone();
        assert!(letters.len() <= count, "{letters:?}");
        if letters.len() == count {
            return letters;
        }
        assert!(Instant::now() < deadline, "only {letters:?}: {}", program.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The letter holds both events, and says which of them is to blame.
fn assert_names_the_broken_event(letter: &Value) {
    let id = letter["id"].as_u64().expect("an id");
    assert_eq!(letter["events"], 2, "{letter}");
    assert_eq!(letter["event_types"], "stock.moved, invoice.issued", "{letter}");
    let reason = letter["reason"].as_str().expect("a reason");
    let broken = format!("position {}: ", id + 1);
    assert!(reason.starts_with(&broken) && reason.len() > broken.len(), "{letter}");
}

/// PIP-2 counts `events` dead-lettered positions, and nothing is wrong.
async fn assert_whole(program: &Program, sales: u64, events: u64) {
    program.assert_whole(sales).await;
    let report = program.operator().examine().await.expect("a report");
    let mut findings = report["findings"].as_array().expect("findings").iter();
    let counted = findings.find(|finding| finding["id"] == "PIP-2").expect("PIP-2");
    let expected = format!("{events} of them dead-lettered");
    assert!(counted.to_string().contains(&expected), "{counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_event_takes_its_transaction_out_and_nothing_else() {
    let (program, world) = Program::start().await;
    let mut random = ChaCha8Rng::seed_from_u64(9);
    program.sell(&world, &mut random, 2).await;
    assert_eq!(letters(&program, 0).await, [Value::Null; 0]);
    let mut database = program.database().await;
    sqlx::raw_sql(FAULTY).execute(&mut database).await.expect("committed");
    database.close().await.expect("closed");

    let first = letters(&program, 1).await.remove(0);
    assert_names_the_broken_event(&first);
    assert_eq!(first["is_replayed"], false, "{first}");
    program.sell(&world, &mut random, 2).await;
    assert_whole(&program, 4, 2).await;

    // Still broken, it comes back each time it is replayed, and each time whole.
    let mut id = first["id"].to_string();
    for kept in 2..=3 {
        assert_eq!(program.run(&["dead-letters", "replay", &id])[0]["replayed"], 1);
        let letters = letters(&program, kept).await;
        let (newest, older) = letters.split_last().expect("letters");
        assert_names_the_broken_event(newest);
        assert!(newest["id"].as_u64() > older.last().and_then(|letter| letter["id"].as_u64()));
        assert_eq!(newest["is_replayed"], false, "{newest}");
        assert!(older.iter().all(|letter| letter["is_replayed"] == true), "{older:?}");
        id = newest["id"].to_string();
    }
    let again = program.run(&["dead-letters", "replay", &first["id"].to_string()]);
    assert_eq!(again[0]["replayed"], 0, "a letter is appended once");
    let unknown = program.fail(&["dead-letters", "replay", &id, "999999"]);
    assert!(unknown.contains("dead letter 999999 does not exist"), "{unknown}");
    assert_eq!(letters(&program, 3).await[2]["is_replayed"], false, "nothing was appended");
    program.sell(&world, &mut random, 1).await;
    assert_whole(&program, 5, 6).await;
}
