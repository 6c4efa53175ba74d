//! `millrace bench e2e`: from a till's sale to a live screen and to a mart.
//!
//! Open loop: invoices are sent at a fixed rate whatever the answers, and the till's latency counts
//! from the scheduled time. The n-th acknowledged invoice is on the screen when the live view counts
//! n, and in the mart when ClickHouse does; both count from the acknowledgement, as nobody outside
//! knows of a commit earlier.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use parking_lot::Mutex;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde_json::Value;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::latency::{Latencies, Percentiles};
use super::memory::PeakMemory;
use super::world::World;
use super::{settings, stage};
use crate::args::BenchE2e;
use crate::operator;
use crate::system::System;

const VIEW: &str = "live_sales_by_shop_hour";
const MART_POLL: Duration = Duration::from_millis(100);
/// How long screen and mart may take to show the last invoice.
const SETTLE_MAX: Duration = Duration::from_secs(60);
/// Not measured: connections are opened, caches filled.
const WARM_UP: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
pub struct EndToEnd {
    invoices_per_second: f64,
    till_ms: Percentiles,
    view_ms: Percentiles,
    mart_ms: Percentiles,
    peak_rss_bytes: std::collections::BTreeMap<String, u64>,
    failed: u64,
    rate: f64,
    seconds: u64,
    seed: u64,
}

/// When a count was first seen to be at least so much.
type Counted = Arc<Mutex<Vec<(Instant, u64)>>>;

pub async fn run(options: &BenchE2e) -> Result<EndToEnd> {
    let BenchE2e { common, rate } = options;
    let folder = tempfile::tempdir()?;
    stage(common, "starting the system");
    let system = System::start(settings(folder.path())?, None).await?;
    let memory = PeakMemory::watch(system.stack.pids());
    let token = operator::token(&system);
    stage(common, "making 10,000 products with stock in 8 shops");
    let world = Arc::new(World::make(&system.kernel).await?);

    let stop = CancellationToken::new();
    let seen = Counted::default();
    let loaded = Counted::default();
    let screen = screen(system.url(), token.clone(), Arc::clone(&seen)).await?;
    let screen = tokio::spawn(stop.clone().run_until_cancelled_owned(screen));
    let mart = tokio::spawn(
        stop.clone().run_until_cancelled_owned(poll(system.pipeline.clone(), Arc::clone(&loaded))),
    );

    stage(
        common,
        &format!(
            "{rate} invoices/s for {} s, after {} s to warm up",
            common.seconds,
            WARM_UP.as_secs()
        ),
    );
    let sold = sell(&system.url(), &token, &world, options).await?;
    let total = sold.acknowledged.len() as u64;
    settle(&seen, total, "the live view").await?;
    settle(&loaded, total, "the mart").await?;
    stop.cancel();
    let _ = tokio::join!(screen, mart);

    let measured_from = sold.started + WARM_UP;
    let result = EndToEnd {
        invoices_per_second: sold.till.percentiles().count as f64 / common.seconds as f64,
        till_ms: sold.till.percentiles(),
        view_ms: arrivals(&sold.acknowledged, &seen.lock(), measured_from).percentiles(),
        mart_ms: arrivals(&sold.acknowledged, &loaded.lock(), measured_from).percentiles(),
        peak_rss_bytes: memory.peaks(),
        failed: sold.failed,
        rate: *rate,
        seconds: common.seconds,
        seed: common.seed,
    };
    system.shutdown().await;
    Ok(result)
}

struct Sold {
    started: Instant,
    till: Latencies,
    /// In order of time.
    acknowledged: Vec<Instant>,
    failed: u64,
}

async fn sell(
    url: &str,
    token: &secrecy::SecretString,
    world: &Arc<World>,
    options: &BenchE2e,
) -> Result<Sold> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
    let mut random = ChaCha8Rng::seed_from_u64(options.common.seed);
    let mut tick = tokio::time::interval(Duration::from_secs_f64(1.0 / options.rate));
    tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let started = Instant::now();
    let end = started + WARM_UP + Duration::from_secs(options.common.seconds);
    let mut sales = Vec::new();
    loop {
        let scheduled = tick.tick().await.into_std();
        if scheduled >= end {
            break;
        }
        let invoice = world.invoice(&mut random);
        let request = http
            .post(format!("{url}/api/v1/pos/invoice"))
            .bearer_auth(token.expose_secret())
            .header(
                "idempotency-key",
                format!("bench/{}", invoice.invoice_id.expect("it was given one")),
            )
            .json(&invoice);
        sales.push(tokio::spawn(async move {
            let status = request.send().await.map(|response| response.status());
            (scheduled, Instant::now(), status)
        }));
    }
    let (mut till, mut acknowledged, mut failed) = (Latencies::new(), Vec::new(), 0);
    for sale in sales {
        let (scheduled, answered, status) = sale.await?;
        match status {
            Ok(StatusCode::CREATED) => acknowledged.push(answered),
            Ok(status) => {
                failed += 1;
                tracing::warn!(%status, "a sale was refused");
            }
            Err(error) => bail!("a till got no answer: {error}"),
        }
        if scheduled >= started + WARM_UP {
            till.record(answered - scheduled);
        }
    }
    acknowledged.sort_unstable();
    Ok(Sold { started, till, acknowledged, failed })
}

/// A person's screen: the live stream, adding up the invoices it shows.
async fn screen(
    url: String,
    token: secrecy::SecretString,
    seen: Counted,
) -> Result<impl Future<Output = Result<()>>> {
    let response = reqwest::Client::new()
        .get(format!("{url}/api/v1/views/{VIEW}/stream"))
        .bearer_auth(token.expose_secret())
        .send()
        .await?
        .error_for_status()?;
    Ok(async move {
        let mut shown: HashMap<String, u64> = HashMap::new();
        let mut stream = response.bytes_stream();
        let mut buffer = Vec::new();
        while let Some(bytes) = stream.next().await {
            buffer.extend_from_slice(&bytes?);
            let now = Instant::now();
            while let Some(end) = find(&buffer, b"\n\n") {
                let event: Vec<u8> = buffer.drain(..end + 2).collect();
                let text = std::str::from_utf8(&event)?;
                let data = text.lines().find_map(|line| line.strip_prefix("data:"));
                let Some(data) = data else { continue };
                let data: Value = serde_json::from_str(data.trim_start())?;
                let rows = ["rows", "upserts"].into_iter().filter_map(|name| data[name].as_array());
                for row in rows.flatten() {
                    let key = format!(
                        "{}/{}/{}",
                        row["shop_id"], row["business_date"], row["business_hour"]
                    );
                    shown.insert(
                        key,
                        row["invoices"].as_u64().context("the view counts no invoices")?,
                    );
                }
                seen.lock().push((now, shown.values().sum()));
            }
        }
        Ok(())
    })
}

fn find(buffer: &[u8], pattern: &[u8]) -> Option<usize> {
    buffer.windows(pattern.len()).position(|window| window == pattern)
}

/// Counts the invoices that a SELECT in ClickHouse finds.
async fn poll(pipeline: millrace_views::PipelineHandle, loaded: Counted) -> Result<()> {
    let loader = pipeline.loader().context("no marts are kept")?;
    let (clickhouse, database) = loader.clickhouse();
    let sql = format!("select toInt64(count()) as invoices from {database}.raw_invoice_issued");
    let mut tick = tokio::time::interval(MART_POLL);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let rows = clickhouse.select("count the invoices", &sql).await?;
        let now = Instant::now();
        let count = rows.first().and_then(|rows| {
            use arrow::array::AsArray;
            rows.column(0)
                .as_primitive_opt::<arrow::datatypes::Int64Type>()
                .map(|count| count.value(0))
        });
        loaded.lock().push((now, u64::try_from(count.unwrap_or_default())?));
    }
}

async fn settle(counted: &Counted, total: u64, what: &str) -> Result<()> {
    let deadline = Instant::now() + SETTLE_MAX;
    while counted.lock().last().is_none_or(|(_, count)| *count < total) {
        if Instant::now() > deadline {
            let count = counted.lock().last().map_or(0, |(_, count)| *count);
            bail!("{what} shows {count} of {total} acknowledged invoices after {SETTLE_MAX:?}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// How long after the n-th acknowledgement the count was n.
fn arrivals(acknowledged: &[Instant], counted: &[(Instant, u64)], from: Instant) -> Latencies {
    let mut latencies = Latencies::new();
    let mut counts = counted.iter().peekable();
    for (n, at) in (1_u64..).zip(acknowledged) {
        while counts.next_if(|(_, count)| *count < n).is_some() {}
        if let Some((shown, _)) = counts.peek()
            && *at >= from
        {
            latencies.record(shown.saturating_duration_since(*at));
        }
    }
    latencies
}
