//! Sales made up by a test, as epochs of a pipeline of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use chrono::{DateTime, Utc};
use futures::FutureExt;
use futures::future::BoxFuture;
use millrace_events::{Lsn, Position, ShopId};
use millrace_source::{Cut, SourceEpoch};
use millrace_views::{
    EpochFeed, OpenFeed, Pipeline, PipelineHandle, PipelineOptions, Purpose, Registry,
};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::harness::start_of_time;

const BY_SHOP: &str = "\
-- title: Sales by shop
-- grain: one row per shop
-- key: shop_id
-- serve: live
-- mart: none
select shop_id, max(note) as note, max(business_date) as last_date, count(*) as sales,
    sum(amount) as revenue
from stg_test__sales
group by shop_id
";
const TOTAL: &str = "\
-- title: Sales by currency
-- grain: one row per currency
-- key: currency
-- serve: live
-- mart: none
select currency, sum(amount) as revenue from stg_test__sales group by currency
";
const SALES: &str = "\
-- title: Sales
-- grain: one row per sale
-- key: none
-- serve: none
-- mart: none
select position, shop_id, currency, note, business_date, amount from sale
";

/// One sale at a shop.
#[derive(Clone, Debug)]
pub struct Sale {
    pub shop: ShopId,
    /// In paise.
    pub amount: i128,
    pub note: String,
}

impl Sale {
    pub fn of(shop: ShopId, amount: i128) -> Self {
        Self { shop, amount, note: "n".into() }
    }
}

/// A pipeline over sales, and the log it reads.
pub struct Shopfloor {
    pub pipeline: PipelineHandle,
    log: watch::Sender<Vec<SourceEpoch>>,
    folder: TempDir,
}

impl Shopfloor {
    pub async fn open() -> Self {
        Self::with(|_| ()).await
    }

    pub async fn with(adjust: impl FnOnce(&mut PipelineOptions)) -> Self {
        let log = watch::Sender::new(Vec::new());
        let folder = TempDir::new().expect("a folder");
        let files = [
            ("live/live_test_by_shop", BY_SHOP),
            ("live/live_test_total", TOTAL),
            ("staging/stg_test__sales", SALES),
        ];
        let files = files.map(|(path, text)| (format!("{path}.sql"), text.to_owned()));
        let events = BTreeMap::from([("sale".to_owned(), schema())]);
        let registry = Registry::of(files.to_vec(), events).expect("views");
        let mut options = PipelineOptions::new(registry, folder.path(), Arc::new(start_of_time));
        adjust(&mut options);
        let pipeline = Pipeline::start(options, Arc::new(Log(log.clone()))).await;
        Self { pipeline: pipeline.expect("a pipeline"), log, folder }
    }

    /// Adds an epoch with these sales; the position it leads to.
    pub fn sell(&self, sales: &[Sale]) -> Position {
        let mut reached = Position::START;
        self.log.send_modify(|log| {
            let epoch = epoch(log.last(), sales);
            reached = epoch.last_position;
            log.push(epoch);
        });
        reached
    }

    /// Sells and waits until the views show it.
    pub async fn sell_seen(&self, sales: &[Sale]) -> Position {
        let reached = self.sell(sales);
        let target = millrace_views::Target::Position(reached);
        let limit = std::time::Duration::from_secs(20);
        self.pipeline.wait_for(target, limit).await.expect("the views follow");
        reached
    }

    pub async fn close(self) {
        self.pipeline.shutdown().await;
        drop(self.folder);
    }
}

/// The LSN up to which the frontier has come with a position.
pub fn lsn_at(position: Position) -> Lsn {
    Lsn(position.0 * 0x100)
}

fn schema() -> SchemaRef {
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let field = |name: &str, data_type| Field::new(name, data_type, false);
    Arc::new(Schema::new(vec![
        field("position", DataType::Int64),
        field("event_id", DataType::Utf8),
        field("event_at", utc),
        field("source_service", DataType::Utf8),
        field("shop_id", DataType::Utf8),
        field("currency", DataType::Utf8),
        field("note", DataType::Utf8),
        field("business_date", DataType::Date32),
        field("amount", DataType::Decimal128(18, 2)),
    ]))
}

fn at(position: u64) -> DateTime<Utc> {
    start_of_time() + chrono::TimeDelta::milliseconds(i64::try_from(position).expect("small"))
}

fn epoch(before: Option<&SourceEpoch>, sales: &[Sale]) -> SourceEpoch {
    let mut cut = before.map(|epoch| epoch.cut.clone()).unwrap_or_default();
    let first = cut.position.0 + 1;
    let count = u64::try_from(sales.len()).expect("small");
    let last = cut.position.0 + count;
    cut =
        Cut { epoch: cut.epoch + 1, position: Position(last), applied: cut.applied + count, ..cut };
    let positions = || first..=last;
    let amounts = Decimal128Array::from_iter_values(sales.iter().map(|sale| sale.amount));
    let text = |value: &dyn Fn(&Sale) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(sales.iter().map(value)))
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(
            positions().map(|p| i64::try_from(p).expect("small")),
        )),
        Arc::new(StringArray::from_iter_values(positions().map(|p| format!("event {p}")))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(
                positions().map(|p| at(p).timestamp_micros()),
            )
            .with_timezone("UTC"),
        ),
        text(&|_| "test".into()),
        text(&|sale| sale.shop.to_string()),
        text(&|_| "INR".into()),
        text(&|sale| sale.note.clone()),
        Arc::new(Date32Array::from_iter_values(sales.iter().map(|_| 20_000))),
        Arc::new(amounts.with_precision_and_scale(18, 2).expect("scale")),
    ];
    let rows = RecordBatch::try_new(schema(), columns).expect("rows");
    SourceEpoch {
        number: cut.epoch,
        first_position: Position(first),
        last_position: Position(last),
        tables: if sales.is_empty() { Vec::new() } else { vec![("sale".into(), rows)] },
        traceparents: Vec::new(),
        oldest_event_at: (count > 0).then(|| at(first)),
        newest_event_at: (count > 0).then(|| at(last)),
        frontier: Some((lsn_at(Position(last)), Position(last))),
        cut,
    }
}

struct Log(watch::Sender<Vec<SourceEpoch>>);

struct Reader {
    log: watch::Receiver<Vec<SourceEpoch>>,
    next: usize,
}

impl OpenFeed for Log {
    fn open(
        &self,
        start: Cut,
        _: Purpose,
    ) -> BoxFuture<'_, millrace_views::Result<Box<dyn EpochFeed>>> {
        let log = self.0.subscribe();
        let next = log.borrow().partition_point(|epoch| epoch.cut.epoch <= start.epoch);
        let reader: Box<dyn EpochFeed> = Box::new(Reader { log, next });
        std::future::ready(Ok(reader)).boxed()
    }
}

impl EpochFeed for Reader {
    fn next_epoch(&mut self) -> BoxFuture<'_, millrace_views::Result<SourceEpoch>> {
        async move {
            let next = self.next;
            let log = self.log.wait_for(|log| log.len() > next).await.expect("the log stays");
            let epoch = log[next].clone();
            drop(log);
            self.next += 1;
            Ok(epoch)
        }
        .boxed()
    }

    fn log_end(&self) -> Position {
        self.log.borrow().last().map(|epoch| epoch.last_position).unwrap_or_default()
    }
}
