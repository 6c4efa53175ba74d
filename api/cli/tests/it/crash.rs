//! The whole process tree and each server are killed at random while tills sell. Each till keeps
//! what was acknowledged; none of it may be lost, none doubled, and the doctor finds nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use millrace_cli::bench::world::World;
use millrace_demo::live::{Outcome, ShopClient, issue};
use millrace_events::InvoiceId;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::program::Program;

const TILLS: u64 = 4;
const KILLS: usize = 4;
const PARTS: [&str; 3] = ["postgres", "kafka", "clickhouse"];
/// The gateway's views may be behind for a moment after the last restart.
const CATCH_UP: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_or_doubled() {
    let seeds = if std::env::var_os("MILLRACE_TEST_LONG").is_some() { 20 } else { 3 };
    let (mut program, world) = Program::start().await;
    let world = Arc::new(world);
    let mut sold = Vec::new();
    for seed in 1..=seeds {
        eprintln!("seed {seed}");
        sold.extend(sell_through_crashes(&mut program, &world, seed).await);
        assert_nothing_lost(&program, &sold, seed).await;
    }
}

/// Sells while parts die, and tells what was acknowledged.
async fn sell_through_crashes(
    program: &mut Program,
    world: &Arc<World>,
    seed: u64,
) -> Vec<InvoiceId> {
    let client = program.operator().shop_client();
    let closing = Arc::new(AtomicBool::new(false));
    let tills: Vec<_> = (0..TILLS)
        .map(|till| {
            let (client, world, closing) =
                (client.clone(), Arc::clone(world), Arc::clone(&closing));
            tokio::spawn(sell(client, world, closing, seed * 100 + till))
        })
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(random.random_range(300..2500))).await;
        match random.random_range(0..=PARTS.len()) {
            0 => {
                program.kill();
                program.up().await;
                program.operator().redirect(&client);
            }
            part => program.kill_part(PARTS[part - 1]),
        }
    }
    closing.store(true, Ordering::Relaxed);
    let mut sold = Vec::new();
    for till in tills {
        sold.extend(till.await.expect("a till ends well"));
    }
    assert!(!sold.is_empty(), "seed {seed}: nothing was sold");
    sold
}

async fn sell(
    client: ShopClient,
    world: Arc<World>,
    closing: Arc<AtomicBool>,
    seed: u64,
) -> Vec<InvoiceId> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut acknowledged = Vec::new();
    while !closing.load(Ordering::Relaxed) {
        match issue(&client, &world.invoice(&mut random)).await.expect("a sale is answered") {
            Outcome::Sold(sold) => acknowledged.push(sold.invoice_id),
            Outcome::Refused => panic!("seed {seed}: there is stock for all"),
        }
    }
    acknowledged
}

async fn assert_nothing_lost(program: &Program, sold: &[InvoiceId], seed: u64) {
    let operator = program.operator();
    for invoice in sold {
        let found: Value = operator
            .get(&format!("/api/v1/pos/invoices/{invoice}"))
            .await
            .unwrap_or_else(|error| panic!("seed {seed}: invoice {invoice} is lost: {error:#}"));
        assert_eq!(found["invoice_id"], invoice.to_string(), "seed {seed}");
    }
    // Tills send until they are answered, so what is there is what was acknowledged.
    let deadline = tokio::time::Instant::now() + CATCH_UP;
    loop {
        let rows = operator.get::<Value>("/api/v1/views/live_sales_by_shop_hour?limit=1000").await;
        let shown: u64 = rows
            .iter()
            .flat_map(|view| view["rows"].as_array().into_iter().flatten())
            .filter_map(|row| row["invoices"].as_u64())
            .sum();
        if shown == sold.len() as u64 {
            break;
        }
        assert!(
            shown < sold.len() as u64,
            "seed {seed}: {shown} invoices are shown, {} were sold",
            sold.len()
        );
        assert!(
            tokio::time::Instant::now() < deadline,
            "seed {seed}: only {shown} of {} are shown",
            sold.len()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let report = operator.examine().await.expect("the doctor comes");
    for finding in report["findings"].as_array().expect("findings") {
        assert_eq!(finding["violations"], 0, "seed {seed}: {finding:#}");
    }
}
