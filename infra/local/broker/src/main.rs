//! The embedded Kafka-protocol broker: one node, its log in files.
//!
//! In: the Kafka wire protocol on `--listen`, spoken by Nisshi. Out: `<data>/log/`, batches as they
//! came, and `<data>/catalog.db`, topics and groups. Logs go to stderr. SIGTERM ends it after open
//! requests are answered; after a `kill -9` every acknowledged message is still there (a power cut
//! may lose the last second).
//!
//! Topics are kept for seven days by record timestamp unless created with `retention.ms=-1`. There
//! are no Kafka transactions and there is no compaction.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use nisshi_broker::{NODE_ID, broker::Broker, coordinator::group::administrator::Controller};
use nisshi_storage::{ArcDynStorage, StorageContainer};
use tokio::time::Instant;
use tracing_subscriber::EnvFilter;
use url::Url;
use uuid::Uuid;

mod log;
mod storage;
mod topics;

const CLUSTER: &str = "millrace";

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

// One thread: requests are short, and handing them from thread to thread cost more than serving them.
#[tokio::main(flavor = "current_thread")]
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

    let mut catalog = StorageContainer::builder();
    catalog.with_factory(Arc::new(nisshi_storage_sql::LiteEngineFactory));
    let catalog = catalog
        .cluster_id(CLUSTER)
        .node_id(NODE_ID)
        .advertised_listener(advertised.clone())
        .storage(Url::parse("sqlite://catalog.db?busy_timeout=30s").expect("a constant URL parses"))
        .silent(true)
        .build()
        .await
        .with_context(|| format!("cannot open the catalog in {}", args.data.display()))?;
    let storage = storage::FileStorage::open(Arc::new(catalog), "log".as_ref()).await?;
    let log = Arc::clone(storage.log());
    let syncing = tokio::spawn(Arc::clone(&log).sync_forever());

    let storage: ArcDynStorage = Arc::new(storage);
    let groups = Controller::with_storage(Arc::clone(&storage))?;
    let incarnation = Uuid::new_v4();
    let broker = Broker::new(NODE_ID, CLUSTER, listen, advertised, storage, groups, incarnation);
    broker.main(Instant::now()).await.with_context(|| format!("broker on {}", args.listen))?;
    syncing.abort();
    log.sync().context("making the log durable at the end")?;
    Ok(())
}
