//! For each invariant one row is damaged behind the system's back, and the doctor names it.

use millrace_cli::bench::world::World;
use millrace_cli::{Operator, System};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use secrecy::ExposeSecret;
use sqlx::{Connection, PgConnection};

use crate::program::settings;

struct Shop {
    system: System,
    operator: Operator,
    _data_dir: tempfile::TempDir,
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
        Self { system, operator, _data_dir: data_dir }
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
         where not finance.is_balanced(debits, credits)",
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

    shop.damage(
        "delete from sales.outbox where event_id = \
         (select event_id from sales.outbox order by recorded_at desc limit 1)",
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
    shop.system.shutdown().await;
}
