//! A relay that halts says what to type; typed, it goes on, and nothing is missing.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_cli::bench::world::World;
use millrace_kernel::{Context, Kernel, Settings, SystemClock};
use millrace_local::{Options, Stack};
use millrace_relay::StateDir;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::program::Program;

const SALES: u64 = 4;

/// The command that a message names in backquotes.
fn command_in(message: &str) -> Vec<&str> {
    let command = message.split('`').nth(1).unwrap_or_else(|| panic!("no command: {message}"));
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("millrace"), "{message}");
    words.collect()
}

async fn sell(kernel: &Kernel, world: &World, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..SALES {
        let context = Context::system(kernel);
        kernel.run(&context, &world.invoice(&mut random)).await.expect("sold");
    }
}

/// Rows of all outboxes.
async fn outbox_rows(kernel: &Kernel) -> u64 {
    let schemas: Vec<String> = sqlx::query_scalar(
        "select schemaname::text from pg_publication_tables \
         where pubname = 'millrace_outbox' and tablename = 'outbox'",
    )
    .fetch_all(kernel.pool())
    .await
    .expect("the outboxes");
    let mut rows = 0;
    for schema in schemas {
        let sql = sqlx::AssertSqlSafe(format!("select count(*) from {schema}.outbox"));
        let count: i64 = sqlx::query_scalar(sql).fetch_one(kernel.pool()).await.expect("counted");
        rows += count.unsigned_abs();
    }
    rows
}

/// Sells while no relay runs, and drops its slot if asked; how many events were ever committed.
async fn sell_unheard(program: &Program, world: &World, drops_slot: bool) -> u64 {
    let stack = Stack::start(Options::new(program.data_dir.path())).await.expect("the servers");
    let url = &stack.endpoints().postgres_url;
    let kernel = Kernel::connect_with(url, Arc::new(SystemClock), Settings::default()).await;
    let kernel = kernel.expect("a kernel");
    sell(&kernel, world, 11).await;
    let committed = outbox_rows(&kernel).await;
    if drops_slot {
        let url = stack.admin_postgres_url().expect("PostgreSQL is embedded");
        let mut admin = PgConnection::connect(url.expose_secret()).await.expect("connected");
        sqlx::raw_sql("select pg_drop_replication_slot('millrace_relay')")
            .execute(&mut admin)
            .await
            .expect("dropped");
        admin.close().await.expect("closed");
    }
    kernel.close().await;
    stack.shutdown().await;
    committed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_slot_is_recovered_with_the_command_that_is_named() {
    let (mut program, world) = Program::start().await;
    program.kill();
    let committed = sell_unheard(&program, &world, true).await;

    let refused = program.refused();
    assert!(refused.contains("slot millrace_relay is missing"), "{refused}");
    let recovered = program.run(&command_in(&refused));
    assert!(recovered[0]["published"].as_u64() >= Some(SALES), "{recovered}");
    assert_eq!(recovered[0]["position"], committed, "each event has one position: {recovered}");
    assert_eq!((&recovered[0]["tombstones"], &recovered[0]["orphans"]), (&0.into(), &0.into()));
    program.up().await;
    program.assert_whole(SALES).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_gone_on_with_once_somebody_says_so() {
    let (mut program, world) = Program::start().await;
    program.kill();
    sell_unheard(&program, &world, false).await;
    let state = StateDir::lock(&program.data_dir.path().join("relay")).expect("no relay runs");
    let mut pair = state.load_pair().expect("readable").expect("a pair");
    pair.system_id = "another".to_owned();
    state.store_pair(&pair).expect("stored");
    drop(state);

    let refused = program.refused();
    assert!(refused.contains("this is another server"), "{refused}");
    let mut command = command_in(&refused);
    let unconfirmed = program.fail(&command);
    assert!(unconfirmed.contains("confirm with --yes"), "{unconfirmed}");
    let wrong = program.fail(&["relay", "recover", "lost-slot"]);
    assert!(wrong.contains("PostgreSQL's system id is"), "{wrong}");
    command.push("--yes");
    let recovered = program.run(&command);
    assert_eq!(recovered[0]["incarnation"], 2, "{recovered}");
    assert_eq!((&recovered[0]["orphans"], &recovered[0]["tombstones"]), (&0.into(), &0.into()));
    program.up().await;
    program.assert_whole(SALES).await;
}

/// What is sold before the backup is taken, after it, and with the restored database.
const KEPT: u64 = 3;
const LOST: u64 = 2;
const AFTERWARDS: u64 = 4;

/// Copies a folder with owners and times, as a backup tool would.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success(), "{} is copied", from.display());
}

/// The last position that the views include.
async fn position(program: &Program) -> u64 {
    let status: Value = program.operator().get("/api/v1/status").await.expect("a status");
    status["position"].as_u64().unwrap_or_else(|| panic!("no position: {status}"))
}

/// Positions of the orphans that a recovery has listed.
fn orphans(recovered: &Value) -> Vec<u64> {
    let file = recovered[0]["file"].as_str().unwrap_or_else(|| panic!("no file: {recovered}"));
    let lines = fs::read_to_string(file).expect("the list of orphans");
    let events = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"));
    let mut positions: Vec<u64> = events.filter_map(|event| event["position"].as_u64()).collect();
    assert_eq!(recovered[0]["orphans"], positions.len(), "all have a line");
    positions.sort_unstable();
    positions
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_restored_from_a_backup_goes_on_behind_the_end_of_the_log() {
    let (mut program, world) = Program::start().await;
    let mut random = ChaCha8Rng::seed_from_u64(5);
    program.sell(&world, &mut random, KEPT).await;
    program.assert_whole(KEPT).await;
    let kept = position(&program).await;
    program.stop();
    let database = fs::canonicalize(program.data_dir.path().join("postgres")).expect("its folder");
    let backup = program.data_dir.path().join("backup");
    copy(&database, &backup);

    program.up().await;
    program.sell(&world, &mut random, LOST).await;
    program.assert_whole(KEPT + LOST).await;
    let end = position(&program).await;
    program.stop();
    fs::remove_dir_all(&database).expect("the database is lost");
    copy(&backup, &database);

    let refused = program.refused();
    assert!(refused.contains("the database was restored from a backup"), "{refused}");
    let mut command = command_in(&refused);
    let unconfirmed = program.fail(&command);
    assert!(unconfirmed.contains("confirm with --yes"), "{unconfirmed}");
    command.push("--yes");
    let recovered = program.run(&command);
    assert_eq!(orphans(&recovered), (kept + 1..=end).collect::<Vec<_>>());
    assert_eq!((&recovered[0]["incarnation"], &recovered[0]["position"]), (&2.into(), &end.into()));
    assert_eq!((&recovered[0]["published"], &recovered[0]["tombstones"]), (&0.into(), &0.into()));
    // The outbox knows where the backup ends, so nobody has to, or may, say otherwise.
    let last = (end - 1).to_string();
    command.extend(["--restored-to", &last]);
    let contradicted = program.fail(&command);
    assert!(contradicted.contains(&format!("up to position {kept};")), "{contradicted}");

    program.up().await;
    // They go without any new event.
    let deadline = Instant::now() + Duration::from_secs(60);
    while program.invoices_shown().await != KEPT {
        assert!(Instant::now() < deadline, "{} invoices are shown", program.invoices_shown().await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    program.sell(&world, &mut random, AFTERWARDS).await;
    // Views and marts are without the orphans, and every invariant holds.
    program.assert_whole(KEPT + AFTERWARDS).await;
    assert_eq!(position(&program).await, end + (end - kept) / LOST * AFTERWARDS);
    assert_kept_as_orphans(&program, kept, end).await;

    // Nothing of it is forgotten after a crash.
    program.kill();
    program.up().await;
    program.assert_whole(KEPT + AFTERWARDS).await;
}

/// Everything from behind `kept` to `end` is a dead letter that can't be replayed.
async fn assert_kept_as_orphans(program: &Program, kept: u64, end: u64) {
    let listed = program.run(&["dead-letters", "list"]);
    let listed = listed.as_array().expect("rows");
    assert_eq!(listed.iter().filter_map(|row| row["events"].as_u64()).sum::<u64>(), end - kept);
    assert!(listed.iter().all(|row| row["is_orphaned"] == true), "{listed:?}");
    assert_eq!(listed[0]["id"], kept + 1);
    let all = program.run(&["dead-letters", "replay"]);
    assert_eq!(all[0]["replayed"], 0, "{all}");
    let refused = program.fail(&["dead-letters", "replay", &(kept + 1).to_string()]);
    assert!(refused.contains("enter again what they stand for"), "{refused}");
}
