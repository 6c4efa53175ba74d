//! A relay that halts says what to type; typed, it goes on, and nothing is missing.

use std::sync::Arc;

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

/// Everything sold is shown, and the doctor finds nothing.
async fn assert_whole(program: &Program, sales: u64) {
    let operator = program.operator();
    let report = operator.examine().await.expect("a report");
    for finding in report["findings"].as_array().expect("findings") {
        assert_eq!(finding["violations"], 0, "{finding:#}");
    }
    let view: Value = operator.get("/api/v1/views/live_sales_by_shop_hour").await.expect("a view");
    let rows = view["rows"].as_array().expect("rows").iter();
    let shown: u64 = rows.filter_map(|row| row["invoices"].as_u64()).sum();
    assert_eq!(shown, sales);
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
    assert_whole(&program, SALES).await;
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
    assert_whole(&program, SALES).await;
}
