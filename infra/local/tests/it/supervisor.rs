//! The whole stack: children killed, parent killed, ports taken, orderly ends.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use millrace_local::{Error, Options, Part, Port, Stack, State, testing};
use nix::sys::signal::Signal;
use secrecy::ExposeSecret as _;
use sqlx::{Connection as _, PgConnection};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use crate::process::{eventually, is_alive, send};

const PARTS: [Part; 3] = [Part::Postgres, Part::Kafka, Part::ClickHouse];

#[tokio::test]
async fn each_killed_child_is_started_again_on_its_port() -> Result<()> {
    let stack = testing::stack().await?;
    let before = stack.stack.status();
    for part in PARTS {
        let pid = before[&part].pid.with_context(|| format!("{part} runs"))?;
        send(pid, Signal::SIGKILL)?;
    }
    eventually("all parts are back", async || {
        let now = stack.stack.status();
        for part in PARTS {
            ensure!(
                now[&part].state == State::Running && now[&part].pid != before[&part].pid,
                "{part}: {:?}",
                now[&part]
            );
        }
        Ok(())
    })
    .await?;
    for (part, now) in stack.stack.status() {
        assert_eq!((now.restarts, now.port), (1, before[&part].port), "{part}");
        assert!(now.last_error.is_some_and(|e| e.contains("signal")), "{part}");
    }
    Ok(())
}

#[tokio::test]
async fn a_child_that_no_longer_answers_is_replaced() -> Result<()> {
    let server = testing::clickhouse().await?;
    let pid = server.pid().context("running")?;
    // Stopped, not dead: only the health check can tell.
    send(pid, Signal::SIGSTOP)?;
    eventually("the stopped server is replaced", async || {
        ensure!(server.pid().is_some_and(|now| now != pid), "still {pid}");
        Ok(())
    })
    .await?;
    assert!(!is_alive(pid));
    Ok(())
}

#[tokio::test]
async fn shutdown_ends_everything_and_the_next_start_finds_data_ports_and_passwords() -> Result<()>
{
    let stack = testing::stack().await?;
    let pids = stack.stack.pids();
    let url = stack.endpoints().postgres_url.clone();
    let mut connection = PgConnection::connect(url.expose_secret()).await?;
    sqlx::raw_sql("create table kept (n int); insert into kept values (5)")
        .execute(&mut connection)
        .await?;
    let ports: BTreeMap<Part, Option<u16>> =
        stack.stack.status().into_iter().map(|(part, s)| (part, s.port)).collect();
    let dir = stack.shutdown().await;
    for (part, pid) in pids {
        assert!(!is_alive(pid), "{part} still runs");
    }

    let stack = Stack::start(Options::new(dir.path())).await?;
    let again: BTreeMap<Part, Option<u16>> =
        stack.status().into_iter().map(|(part, s)| (part, s.port)).collect();
    assert_eq!(again, ports);
    let mut connection = PgConnection::connect(url.expose_secret()).await?;
    let kept: i32 = sqlx::query_scalar("select n from kept").fetch_one(&mut connection).await?;
    assert_eq!(kept, 5);

    // While it runs nobody else may use the directory.
    let error = Stack::start(Options::new(dir.path())).await.unwrap_err();
    assert!(matches!(error, Error::DataDirInUse { .. }), "{error}");
    stack.shutdown().await;
    Ok(())
}

#[tokio::test]
async fn a_taken_port_is_named_with_its_part_and_nothing_is_left_running() -> Result<()> {
    let holder = TcpListener::bind(("127.0.0.1", 0))?;
    let port = holder.local_addr()?.port();
    for part in PARTS {
        let dir = testing::data_dir()?;
        let mut options = Options::new(dir.path());
        match part {
            Part::Postgres => options.postgres_port = Port::Fixed(port),
            Part::Kafka => options.kafka_port = Port::Fixed(port),
            Part::ClickHouse => options.clickhouse_port = Port::Fixed(port),
        }
        let error = Stack::start(options).await.unwrap_err();
        assert!(
            matches!(error, Error::PortTaken { part: p, port: q } if p == part && q == port),
            "{error}"
        );
        let left: Vec<_> = std::fs::read_dir(dir.path().join("run"))?.collect();
        assert!(left.is_empty(), "{left:?}");
    }
    Ok(())
}

#[tokio::test]
async fn parts_of_ones_own_are_checked_and_not_embedded() -> Result<()> {
    let (postgres, kafka, clickhouse) =
        (testing::postgres().await?, testing::kafka().await?, testing::clickhouse().await?);
    let dir = testing::data_dir()?;
    let mut url: reqwest::Url = clickhouse.url().parse()?;
    let set = url.set_username(clickhouse.user());
    let set = set.and_then(|()| url.set_password(Some(clickhouse.password().expose_secret())));
    set.map_err(|()| anyhow::anyhow!("the URL takes credentials"))?;
    let own = || Options {
        postgres_url: Some(postgres.url()),
        kafka_brokers: Some(kafka.brokers().to_owned()),
        clickhouse_url: Some(url.as_str().into()),
        ..Options::new(dir.path())
    };
    let stack = Stack::start(own()).await?;
    assert!(stack.pids().is_empty());
    assert!(stack.status().values().all(|status| status.state == State::External));
    assert_eq!(stack.endpoints().kafka_brokers, kafka.brokers());
    assert_eq!(stack.endpoints().clickhouse_url, clickhouse.url());
    assert_eq!(stack.endpoints().clickhouse_user, clickhouse.user());
    stack.shutdown().await;

    let nothing = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
    let wrong = [
        (
            Options {
                postgres_url: Some(format!("postgres://u:hidden@{nothing}/x").into()),
                ..own()
            },
            "MILLRACE_POSTGRES_URL",
        ),
        (Options { kafka_brokers: Some(nothing.to_string()), ..own() }, "MILLRACE_KAFKA_BROKERS"),
        (
            Options { clickhouse_url: Some(format!("http://u:hidden@{nothing}").into()), ..own() },
            "MILLRACE_CLICKHOUSE_URL",
        ),
        (
            Options { clickhouse_url: Some(clickhouse.url().into()), ..own() },
            "MILLRACE_CLICKHOUSE_URL",
        ),
    ];
    for (options, variable) in wrong {
        let error = Stack::start(options).await.unwrap_err().to_string();
        assert!(error.contains(variable) && !error.contains("hidden"), "{error}");
    }
    Ok(())
}

/// Not a test of its own: the parent that another test kills. Prints its children's ids.
#[tokio::test]
async fn parent_to_be_killed() -> Result<()> {
    let Some(dir) = std::env::var_os("MILLRACE_TEST_PARENT_DIR") else { return Ok(()) };
    let stack = Stack::start(Options::new(dir)).await?;
    for (part, pid) in stack.pids() {
        eprintln!("child {part} {pid}");
    }
    eprintln!("ready");
    tokio::time::sleep(Duration::from_secs(600)).await;
    Ok(())
}

#[tokio::test]
async fn a_killed_parent_leaves_no_orphan_and_the_next_one_starts_at_once() -> Result<()> {
    let dir = testing::data_dir()?;
    for round in 0..2 {
        let mut parent = Command::new(std::env::current_exe()?)
            .args(["--exact", "supervisor::parent_to_be_killed", "--nocapture"])
            .env("MILLRACE_TEST_PARENT_DIR", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(parent.stderr.take().context("stderr")?).lines();
        let mut children = Vec::new();
        while let Some(line) = lines.next_line().await? {
            if line == "ready" {
                break;
            }
            if let Some(child) = line.strip_prefix("child ") {
                children.push(child.rsplit_once(' ').context("part and id")?.1.parse::<u32>()?);
            }
        }
        assert_eq!(children.len(), 3, "round {round}");
        // Backends of PostgreSQL are grandchildren.
        let title = format!("postgres: {}", cluster_name(dir.path())?);
        ensure!(!titled(&title).is_empty(), "PostgreSQL's processes carry the title {title}");

        parent.start_kill()?;
        parent.wait().await?;
        let deadline = Instant::now() + Duration::from_secs(15);
        while children.iter().any(|pid| is_alive(*pid)) || !titled(&title).is_empty() {
            ensure!(
                Instant::now() < deadline,
                "round {round}: orphans are left: {children:?} {:?}",
                titled(&title)
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

fn cluster_name(dir: &std::path::Path) -> Result<String> {
    let conf = std::fs::read_to_string(dir.join("postgres/data/postgresql.conf"))?;
    let line =
        conf.lines().find_map(|l| l.strip_prefix("cluster_name = ")).context("cluster_name")?;
    Ok(line.trim_matches('\'').to_owned())
}

fn titled(prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok())
        .filter(|title| title.starts_with(prefix))
        .collect()
}
