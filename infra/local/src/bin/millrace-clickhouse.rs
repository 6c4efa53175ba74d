//! The child process that serves the embedded ClickHouse over HTTP.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::Parser;
use millrace_local::clickhouse::{PASSWORD_VARIABLE, server};
use tracing_subscriber::EnvFilter;

/// ClickHouse's HTTP interface in front of libchdb.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// Address to listen on, e.g. 127.0.0.1:8123.
    #[arg(long)]
    listen: SocketAddr,
    /// Folder of the tables, made if missing.
    #[arg(long)]
    data: PathBuf,
    /// Path of libchdb.so.
    #[arg(long)]
    library: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info")),
        )
        .init();
    let Args { listen, data, library } = Args::parse();
    // Not an argument: those are for everyone to read.
    let password = std::env::var(PASSWORD_VARIABLE)
        .with_context(|| format!("{PASSWORD_VARIABLE} must hold the password"))?;
    server::serve(server::Options { listen, data, library, password: password.into() }).await?;
    Ok(())
}
