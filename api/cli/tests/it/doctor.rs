//! For each invariant one row is damaged behind the system's back, and the doctor names it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, BinaryArray, RecordBatch};
use arrow::compute::concat_batches;
use millrace_cli::bench::world::World;
use millrace_cli::{Operator, System};
use millrace_events::{EventId, Topic, header};
use millrace_views::{State, Status};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use secrecy::ExposeSecret;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::program::settings;

/// How long the pipeline may take to notice.
const SOON: Duration = Duration::from_secs(60);

struct Shop {
    system: System,
    operator: Operator,
    data_dir: tempfile::TempDir,
}

impl Shop {
    /// A system that has sold something.
    async fn open() -> Self {
        let data_dir = millrace_local::testing::data_dir().expect("a folder");
        let system = System::start(settings(data_dir.path()), None).await.expect("it starts");
        let world = World::make_small(&system.kernel).await.expect("the world is made");
        let mut random = ChaCha8Rng::seed_from_u64(3);
        for _ in 0..20 {
            let context = millrace_kernel::Context::system(&system.kernel);
            system.kernel.run(&context, &world.invoice(&mut random)).await.expect("sold");
        }
        let operator = Operator::for_system(&system);
        Self { system, operator, data_dir }
    }

    /// Ends the system, does something to what it keeps, and starts it again.
    async fn reopen(self, meanwhile: impl FnOnce(&Path)) -> Self {
        let Self { system, data_dir, .. } = self;
        system.shutdown().await;
        meanwhile(data_dir.path());
        let system = System::start(settings(data_dir.path()), None).await.expect("it starts");
        let operator = Operator::for_system(&system);
        Self { system, operator, data_dir }
    }

    /// Waits until the pipeline's status satisfies `wanted`.
    async fn until(&self, wanted: impl Fn(&Status) -> bool) {
        let deadline = Instant::now() + SOON;
        while !wanted(&self.system.pipeline.status()) {
            assert!(Instant::now() < deadline, "{:?}", self.system.pipeline.status());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Violating rows by check.
    async fn violations(&self, id: &str) -> Vec<String> {
        let report = self.operator.examine().await.expect("a report");
        let findings = report["findings"].as_array().expect("findings");
        let finding = findings.iter().find(|finding| finding["id"] == id);
        let finding = finding.unwrap_or_else(|| panic!("no finding {id}"));
        let rows = finding["rows"].as_array().expect("rows").iter();
        rows.filter_map(|row| row.as_str().map(str::to_owned)).collect()
    }

    async fn all_violations(&self) -> Vec<(String, Vec<String>)> {
        let report = self.operator.examine().await.expect("a report");
        let findings = report["findings"].as_array().expect("findings").iter();
        findings
            .filter(|finding| finding["violations"] != 0)
            .map(|finding| (finding["id"].to_string(), vec![finding["rows"].to_string()]))
            .collect()
    }

    /// Runs SQL as the superuser, with triggers and constraints out of the way.
    async fn damage(&self, sql: &'static str) {
        let url = self.system.stack.admin_postgres_url().expect("PostgreSQL is embedded");
        let mut connection = PgConnection::connect(url.expose_secret()).await.expect("connected");
        sqlx::raw_sql("set session_replication_role = replica")
            .execute(&mut connection)
            .await
            .expect("set");
        sqlx::raw_sql(sql).execute(&mut connection).await.expect("damaged");
        connection.close().await.expect("closed");
    }

    /// Writes to the log as anything but the relay would.
    async fn produce(&self, headers: &[(&str, &str)]) {
        let headers = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header { key, value: Some(*value) })
        });
        let brokers = &self.system.stack.endpoints().kafka_brokers;
        let producer: FutureProducer =
            ClientConfig::new().set("bootstrap.servers", brokers).create().expect("a producer");
        let record =
            FutureRecord::to(Topic::Billing.as_str()).key("nobody").payload("{}").headers(headers);
        producer.send(record, SOON).await.map_err(|(error, _)| error).expect("produced");
    }

    async fn clickhouse(&self, sql: &str) {
        let loader = self.system.pipeline.loader().expect("marts are kept");
        let (clickhouse, _) = loader.clickhouse();
        clickhouse.execute("damage a mart", sql).await.expect("damaged");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_damage_is_found_and_named() {
    let shop = Shop::open().await;
    assert_eq!(shop.all_violations().await, [], "a healthy system");

    shop.damage(
        "alter table finance.entries drop constraint entries_balanced; \
         update finance.entries set debits[1] = debits[1] + 1, credits[2] = credits[2] \
         where entry_id = (select entry_id from finance.entries where debits[1] > 0 limit 1)",
    )
    .await;
    let rows = shop.violations("LED-1").await;
    assert!(rows.len() == 1 && rows[0].contains("entry "), "{rows:?}");
    let rows = shop.violations("LED-3").await;
    assert!(rows.iter().any(|row| row.contains("PostgreSQL has debit")), "{rows:?}");
    shop.damage(
        "update finance.entries set debits[1] = debits[1] - 1 \
         where not finance.is_balanced(account_codes, debits, credits, party_ids)",
    )
    .await;

    shop.damage(
        "update sales.invoices set totals[1] = totals[1] + 1 \
         where invoice_id = (select min(invoice_id::text)::uuid from sales.invoices)",
    )
    .await;
    let rows = shop.violations("LED-4").await;
    assert!(rows.len() == 1 && rows[0].contains("1 lines that do not come"), "{rows:?}");
    shop.damage(
        "update sales.invoices set totals[1] = totals[1] - 1 \
         where invoice_id = (select min(invoice_id::text)::uuid from sales.invoices)",
    )
    .await;

    shop.damage(
        "update inventory.stock set on_hand = on_hand + 1 \
         where ctid = (select ctid from inventory.stock limit 1)",
    )
    .await;
    let rows = shop.violations("STK-1").await;
    assert!(rows.len() == 1 && rows[0].contains("on hand"), "{rows:?}");
    shop.damage(
        "alter table inventory.stock drop constraint stock_on_hand, drop constraint stock_value; \
         update inventory.stock set on_hand = -1 where ctid = (select ctid from inventory.stock limit 1)",
    )
    .await;
    let rows = shop.violations("STK-2").await;
    assert!(rows.len() == 1 && rows[0].contains("on hand -1.000"), "{rows:?}");

    shop.produce(&[]).await;
    shop.damage(POISON).await;
    shop.until(|status| status.dead_lettered == 1).await;
    assert_eq!(shop.violations("PIP-2").await, [""; 0], "what is kept is accounted for");
    let kept: Value = shop.operator.get("/api/v1/dead-letters").await.expect("dead letters");
    assert_eq!(kept["dead_letters"][0]["event_types"], "invoice.issued", "{kept}");
    assert_eq!(kept["foreign"][0]["topic"], "billing.events.v1", "{kept}");
    for file in files(&shop.data_dir.path().join("objects/dead-letters")) {
        std::fs::remove_file(file).expect("removed");
    }
    let rows = shop.violations("PIP-2").await;
    assert!(rows.len() == 1 && rows[0].ends_with("no dead letter holds it"), "{rows:?}");

    shop.damage(
        "delete from sales.outbox where event_id = \
         (select event_id from sales.outbox order by recorded_at limit 1)",
    )
    .await;
    let rows = shop.violations("OUT-2").await;
    assert!(rows.len() == 1 && rows[0].contains("is in no outbox"), "{rows:?}");

    shop.clickhouse(
        "insert into millrace.live_trial_balance select * replace (debit + 1 as debit, _position + 1000000 as _position) \
         from millrace.live_trial_balance final limit 1",
    )
    .await;
    let rows = shop.violations("OLP-1").await;
    assert!(rows.iter().any(|row| row.contains("live_trial_balance")), "{rows:?}");

    // Another event claims the first position; the source must not go on with either of them.
    let impostor = EventId::new().to_string();
    shop.produce(&[
        (header::POSITION, "1"),
        (header::LSN, "0/1"),
        (header::TRANSACTION, "1/1"),
        (header::EVENT_ID, &impostor),
        (header::EVENT_TYPE, "invoice.issued"),
    ])
    .await;
    shop.until(|status| matches!(status.state, State::Stopped { .. })).await;
    let rows = shop.violations("OUT-3").await;
    assert!(rows.iter().any(|row| row.starts_with("position 1: both ")), "{rows:?}");
    assert!(rows.iter().any(|row| row.contains(&impostor)), "{rows:?}");
    let rows = shop.violations("PIP-2").await;
    assert!(rows.iter().any(|row| row.starts_with("the pipeline has stopped: ")), "{rows:?}");
    shop.system.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_changed_afterwards_is_found_in_the_views_it_went_into() {
    let shop = Shop::open().await;
    // The log's second copy, which the doctor reads again, is complete once the system has ended.
    let shop = shop
        .reopen(|data_dir| {
            let folder = data_dir.join("objects/log/v1");
            let deadline = Instant::now() + SOON;
            while files(&folder).is_empty() {
                assert!(Instant::now() < deadline, "the log has no second copy");
                std::thread::sleep(Duration::from_millis(20));
            }
            let changed = files(&folder).into_iter().filter(|file| sell_one_more(file)).count();
            assert_eq!(changed, 1, "one message was changed");
        })
        .await;
    let rows = shop.violations("PIP-1").await;
    let is_named = |view: &str| rows.iter().any(|row| row.starts_with(view));
    assert!(is_named("live_top_products_day at position "), "{rows:?}");
    assert!(!is_named("live_trial_balance "), "no journal entry was changed: {rows:?}");
    assert_eq!(shop.violations("PIP-2").await, [""; 0]);
    shop.system.shutdown().await;
}

/// An event that nobody can decode.
const POISON: &str = "insert into sales.outbox \
    (recorded_at, event_id, topic, event_type, aggregate_id, envelope) \
    values (now(), gen_random_uuid(), 'billing.events.v1', 'invoice.issued', 'nobody', '{}')";

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.is_file()).collect()
}

/// Doubles what was sold in the first line of a file's first invoice; whether it has one.
fn sell_one_more(file: &Path) -> bool {
    let open = || std::fs::File::open(file).expect("it opens");
    let reader = ParquetRecordBatchReaderBuilder::try_new(open()).expect("Parquet");
    let schema = Arc::clone(reader.schema());
    let noted = reader.metadata().file_metadata().key_value_metadata().cloned();
    let batches: Vec<RecordBatch> =
        reader.build().expect("rows").collect::<Result<_, _>>().expect("rows");
    let rows = concat_batches(&schema, &batches).expect("one schema");
    let types = rows.column_by_name("event_type").expect("types").as_string::<i32>();
    let Some(first) = types.iter().position(|kind| kind == Some("invoice.issued")) else {
        return false;
    };
    let index = schema.index_of("value").expect("values");
    let values = rows.column(index).as_binary::<i32>();
    let mut envelope: Value = serde_json::from_slice(values.value(first)).expect("JSON");
    let quantity = &mut envelope["payload"]["lines"][0]["quantity"];
    assert_eq!(quantity.as_f64(), Some(1.0), "{envelope}");
    *quantity = 2.into();
    let changed = serde_json::to_vec(&envelope).expect("JSON");
    let values: BinaryArray = values
        .iter()
        .enumerate()
        .map(|(row, value)| if row == first { Some(changed.as_slice()) } else { value })
        .collect();
    let mut columns = rows.columns().to_vec();
    columns[index] = Arc::new(values);
    let rows = RecordBatch::try_new(Arc::clone(&schema), columns).expect("the same columns");
    let noted = noted
        .map(|pairs| pairs.into_iter().filter(|pair| pair.key.starts_with("millrace.")).collect());
    let properties = WriterProperties::builder().set_key_value_metadata(noted).build();
    let written = std::fs::File::create(file).expect("it opens");
    let mut writer = ArrowWriter::try_new(written, schema, Some(properties)).expect("a writer");
    writer.write(&rows).expect("written");
    writer.close().expect("closed");
    true
}
