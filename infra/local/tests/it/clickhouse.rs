//! The embedded ClickHouse with real clients: `clickhouse-connect` (Python) and the `clickhouse` crate.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, ensure};
use clickhouse::{Client, Row};
use millrace_local::testing;
use nix::sys::signal::Signal;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::process::{eventually, send};

fn client(server: &testing::ClickHouse) -> Client {
    Client::default()
        .with_url(server.url())
        .with_user(server.user())
        .with_password(server.password().expose_secret())
}

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Sale {
    id: u64,
    shop: String,
    cents: i64,
    note: Option<String>,
}

fn sales(count: u64) -> Vec<Sale> {
    (0..count)
        .map(|id| Sale {
            id,
            shop: format!("shop {}\n\n", id % 7),
            cents: -(id as i64) * 100,
            note: (id % 3 == 0).then(|| "é".repeat(id as usize % 50)),
        })
        .collect()
}

const SALES: &str =
    "create table sales (id UInt64, shop String, cents Int64, note Nullable(String))
                     engine = MergeTree order by id";

#[tokio::test]
async fn clickhouse_connect_finds_what_it_needs() -> Result<()> {
    let server = testing::clickhouse().await?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clickhouse");
    let venv = Command::new(folder.join("venv.sh")).stderr(Stdio::inherit()).output().await?;
    ensure!(venv.status.success(), "venv.sh failed");
    let python = String::from_utf8(venv.stdout)?;
    let url: reqwest::Url = server.url().parse()?;
    let mut check = Command::new(python.trim())
        .arg(folder.join("check.py"))
        .args(["127.0.0.1", &url.port().context("port")?.to_string(), server.user()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let password = format!("{}\n", server.password().expose_secret());
    check.stdin.take().context("stdin")?.write_all(password.as_bytes()).await?;
    let output = tokio::time::timeout(Duration::from_secs(180), check.wait_with_output()).await??;
    let stdout = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(stdout.lines().filter(|line| line.starts_with("ok: ")).count(), 10, "{stdout}");
    Ok(())
}

#[tokio::test]
async fn the_clickhouse_crate_inserts_and_selects_with_and_without_compression() -> Result<()> {
    let server = testing::clickhouse().await?;
    let expected = sales(50_000);
    for compression in [clickhouse::Compression::Lz4, clickhouse::Compression::None] {
        let client = client(&server).with_compression(compression);
        client.query("drop table if exists sales").execute().await?;
        client.query(SALES).execute().await?;
        let mut insert = client.insert::<Sale>("sales").await?;
        for sale in &expected {
            insert.write(sale).await?;
        }
        insert.end().await?;
        let got: Vec<Sale> =
            client.query("select ?fields from sales order by id").fetch_all().await?;
        ensure!(got == expected, "rows differ ({} of {})", got.len(), expected.len());

        let one: Sale = client
            .query("select ?fields from sales where id = {id:UInt64} and shop = {shop:String}")
            .param("id", 42)
            .param("shop", "shop 0\n\n")
            .fetch_one()
            .await?;
        assert_eq!(one, expected[42]);
    }
    Ok(())
}

#[tokio::test]
async fn errors_reach_the_crate_with_their_codes_also_in_the_middle_of_a_result() -> Result<()> {
    let server = testing::clickhouse().await?;
    let client = client(&server);
    let error = client.query("select * from missing").execute().await.unwrap_err().to_string();
    assert!(error.contains("Code: 60"), "{error}");
    let late = "select toUInt64(throwIf(number = 900000)) from numbers(1000000) settings max_block_size = 8192";
    assert!(client.query(late).fetch_all::<u64>().await.is_err());
    let wrong =
        client.with_password("wrong").query("select 1").execute().await.unwrap_err().to_string();
    assert!(wrong.contains("516"), "{wrong}");
    Ok(())
}

#[tokio::test]
async fn plain_http_get_reads_only_and_native_blocks_are_answered() -> Result<()> {
    let server = testing::clickhouse().await?;
    let http = reqwest::Client::new();
    let get = |query: &'static [(&'static str, &'static str)]| {
        let mut url: reqwest::Url = server.url().parse().expect("the server's URL");
        url.query_pairs_mut().extend_pairs(query);
        http.get(url)
            .header("X-ClickHouse-User", server.user())
            .header("X-ClickHouse-Key", server.password().expose_secret())
    };
    let answer =
        get(&[("query", "select 40 + 2 as n"), ("default_format", "JSONEachRow")]).send().await?;
    assert_eq!(answer.headers()["x-clickhouse-format"], "JSONEachRow");
    assert_eq!(answer.text().await?, "{\"n\":42}\n");
    let refused = get(&[("query", "create table t (a UInt8) engine = Memory")]).send().await?;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-clickhouse-exception-code"]),
        (403, &"164".parse()?)
    );
    let blocks = get(&[("query", "select 1"), ("compress", "1")]).send().await?.bytes().await?;
    // Checksum, then the method byte of LZ4.
    assert_eq!(blocks.get(16), Some(&0x82));
    Ok(())
}

#[tokio::test]
async fn killed_it_comes_back_with_every_acknowledged_row() -> Result<()> {
    let server = testing::clickhouse().await?;
    let client = client(&server);
    client.query(SALES).execute().await?;
    let mut insert = client.insert::<Sale>("sales").await?;
    for sale in sales(1000) {
        insert.write(&sale).await?;
    }
    insert.end().await?;
    let before = server.pid().context("running")?;
    send(before, Signal::SIGKILL)?;
    let count: u64 = eventually("the server is back", async || {
        ensure!(server.pid().is_some_and(|pid| pid != before), "not restarted yet");
        Ok(client.query("select count() from sales").fetch_one::<u64>().await?)
    })
    .await?;
    assert_eq!(count, 1000);
    Ok(())
}
