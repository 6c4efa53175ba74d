//! The embedded Kafka-protocol broker: one node whose log is a SQLite file.
//!
//! In: the Kafka wire protocol on `--listen`. Out: `<data>/log.db`. Logs go to stderr.
//! SIGTERM ends it after open requests are answered; after a `kill -9` every acknowledged message
//! is still there (a power cut may lose the last ones: SQLite runs with `synchronous = normal`).
//!
//! Topics are kept for seven days by record timestamp unless created with `retention.ms=-1`.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use nisshi_broker::{NODE_ID, broker::Broker, coordinator::group::administrator::Controller};
use nisshi_storage::ArcDynStorage;
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;
use url::Url;
use uuid::Uuid;

/// Kafka-protocol broker with its log on disk.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Address to listen on, e.g. 127.0.0.1:9092.
    #[arg(long)]
    listen: SocketAddr,
    /// Address told to clients; the listen address if absent.
    #[arg(long)]
    advertise: Option<String>,
    /// Folder of the log, made if missing.
    #[arg(long)]
    data: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(
            EnvFilter::try_from_env("MILLRACE_BROKER_LOG")
                .unwrap_or_else(|_| EnvFilter::new("warn")),
        )
        .init();

    std::fs::create_dir_all(&args.data)
        .with_context(|| format!("cannot make the log's folder {}", args.data.display()))?;
    // Storage URLs are resolved against the working directory.
    std::env::set_current_dir(&args.data)
        .with_context(|| format!("cannot enter the log's folder {}", args.data.display()))?;

    let listen = Url::parse(&format!("tcp://{}", args.listen)).context("--listen")?;
    let advertised = args.advertise.unwrap_or_else(|| args.listen.to_string());
    let advertised =
        Url::parse(&format!("tcp://{advertised}")).context("--advertise must be host:port")?;
    ensure!(advertised.port().is_some(), "--advertise must be host:port");

    let broker = Broker::<Controller<ArcDynStorage>, ArcDynStorage>::builder()
        .node_id(NODE_ID)
        .cluster_id("millrace")
        .incarnation_id(Uuid::new_v4())
        .listener(listen)
        .advertised_listener(advertised)
        .storage(Url::parse("sqlite://log.db?busy_timeout=30s").expect("a constant URL parses"))
        .silent(true)
        .build()
        .await
        .with_context(|| format!("cannot open the log in {}", args.data.display()))?;
    broker.main(Instant::now()).await.with_context(|| format!("broker on {}", args.listen))?;
    Ok(())
}
