//! Speed of the first rows of each group: bids like Nexmark's, 10,000 an epoch, as its queries 18 and 19 read them.
//!
//!     cargo run -p millrace-engine --example ordered -- 100

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::DateTime;
use millrace_engine::{
    Cut, Delta, Engine, EngineConfig, Epoch, Relation, RelationKind, ViewDefinition,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;

const EPOCH_ROWS: usize = 10_000;

const QUERIES: &[(&str, &str)] = &[
    (
        "last bid per bidder and auction (q18)",
        "select auction, bidder, price, channel, url, date_time, extra from (select *, row_number() over (partition by bidder, auction order by date_time desc) as rn from bid) where rn <= 1",
    ),
    (
        "ten dearest bids per auction, numbered (q19)",
        "select * from (select *, row_number() over (partition by auction order by price desc) as rank_number from bid) where rank_number <= 10",
    ),
    (
        "dearest bid per auction (q9 behind its join)",
        "select auction, bidder, price, date_time, extra from (select *, row_number() over (partition by auction order by price desc, date_time) as rn from bid) where rn = 1",
    ),
    (
        "bid before, per auction",
        "select auction, price, lag(price) over (partition by auction order by date_time, price, bidder) as before from bid",
    ),
    ("a hundred dearest bids of all", "select * from bid order by price desc limit 100"),
    (
        "running sum per bidder, evaluated by partition",
        "select bidder, auction, price, sum(price) over (partition by bidder order by date_time, auction, price) as spent from bid",
    ),
];

fn schema() -> SchemaRef {
    let number = |name: &str| Field::new(name, DataType::Int64, false);
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let time = DataType::Timestamp(TimeUnit::Millisecond, None);
    Arc::new(Schema::new(vec![
        number("auction"),
        number("bidder"),
        number("price"),
        text("channel"),
        text("url"),
        Field::new("date_time", time, false),
        text("extra"),
    ]))
}

/// Bids of which half go to one auction in each hundred, as the auctions move on.
fn bids(random: &mut ChaCha8Rng, epoch: usize) -> anyhow::Result<RecordBatch> {
    let first = (epoch * EPOCH_ROWS) as i64;
    let newest = |row: i64| (first + row) / 15;
    let auction = |random: &mut ChaCha8Rng, row: i64| match random.random_bool(0.5) {
        true => newest(row) / 100 * 100,
        false => newest(row) - random.random_range(0..100),
    };
    let rows = 0..EPOCH_ROWS as i64;
    let auctions: Int64Array = rows.clone().map(|row| Some(auction(random, row))).collect();
    let bidders: Int64Array =
        rows.clone().map(|row| Some(newest(row) / 100 - random.random_range(0..1000))).collect();
    let prices: Int64Array = rows
        .clone()
        .map(|_| Some(10_i64.pow(random.random_range(2..6)) + random.random_range(0..9_999)))
        .collect();
    let channels =
        StringArray::from_iter_values(rows.clone().map(|row| format!("channel-{}", row % 10_000)));
    let urls = StringArray::from_iter_values(
        rows.clone()
            .map(|row| format!("https://www.nexmark.com/item.htm?query=1&channel_id={row}")),
    );
    let times = TimestampMillisecondArray::from_iter_values(
        rows.clone().map(|row| 1_700_000_000_000 + (first + row) / 10),
    );
    let extras = StringArray::from_iter_values(rows.map(|row| format!("{row:0>40}")));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(auctions),
        Arc::new(bidders),
        Arc::new(prices),
        Arc::new(channels),
        Arc::new(urls),
        Arc::new(times),
        Arc::new(extras),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

/// Time this thread has spent on a processor, which other programs on the machine don't lengthen.
fn watch() -> Duration {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = statistics.split(' ').next().and_then(|count| count.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

#[expect(clippy::print_stdout, reason = "an example that reports on standard output")]
fn main() -> anyhow::Result<()> {
    let epochs: usize = std::env::args().nth(1).map_or(Ok(100), |count| count.parse())?;
    let only = std::env::args().nth(2).unwrap_or_default();
    let mut random = ChaCha8Rng::seed_from_u64(19);
    let batches: Vec<RecordBatch> =
        (0..epochs).map(|epoch| bids(&mut random, epoch)).collect::<anyhow::Result<_>>()?;
    for (kind, kind_name) in
        [(RelationKind::Append, "rows only come"), (RelationKind::Changes, "rows may go")]
    {
        for (name, sql) in QUERIES.iter().filter(|(name, _)| name.contains(&only)) {
            let config = EngineConfig { stopwatch: Some(watch), ..EngineConfig::default() };
            let mut engine = Engine::new(config)?;
            engine.create_relation(Relation {
                name: "bid".into(),
                schema: schema(),
                kind: kind.clone(),
            })?;
            let (view, sql) = ("v".to_owned(), (*sql).to_owned());
            engine.create_view(ViewDefinition {
                name: view,
                sql,
                key: Vec::new(),
                materialize: false,
            })?;
            let mut worst = Duration::ZERO;
            let mut changed = 0;
            let start = watch();
            for (number, batch) in (1..).zip(&batches) {
                let inputs = vec![("bid".to_owned(), Delta::inserts(batch.clone()))];
                let now = DateTime::from_timestamp(1_700_000_000, 0).expect("a time within range");
                let cut = Cut::from_iter([("events-0", number)]);
                let begin = watch();
                let changes = engine.step(Epoch { number, cut, inputs, now })?;
                worst = worst.max(watch() - begin);
                anyhow::ensure!(changes.stopped.is_empty(), "{:?}", changes.stopped);
                changed += changes.changes.iter().map(|(_, delta)| delta.num_rows()).sum::<usize>();
            }
            let seconds = (watch() - start).as_secs_f64();
            println!(
                "{}",
                json!({
                    "query": name,
                    "input": kind_name,
                    "rows": epochs * EPOCH_ROWS,
                    "rows_per_second": ((epochs * EPOCH_ROWS) as f64 / seconds).round(),
                    "rows_changed": changed,
                    "epoch_ms_max": worst.as_secs_f64() * 1e3,
                    "state_bytes": engine.explain("v")?.state_bytes(),
                })
            );
        }
    }
    Ok(())
}
