//! What the caller may choose.

use std::{env, fmt, path::PathBuf};

use secrecy::SecretString;

/// One of the servers that Millrace embeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// PostgreSQL 18 with pgvector.
    Postgres,
    /// The Kafka-protocol broker.
    Kafka,
    /// ClickHouse behind its HTTP interface.
    ClickHouse,
}

impl Part {
    /// Lower-case name: in logs, file names and [`crate::Stack::pids`].
    pub const fn name(self) -> &'static str {
        match self {
            Part::Postgres => "postgres",
            Part::Kafka => "kafka",
            Part::ClickHouse => "clickhouse",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// TCP port of a part on 127.0.0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Port {
    /// A free one, kept in the data directory and used again while it stays free.
    #[default]
    Auto,
    /// Exactly this one; taken is an error.
    Fixed(u16),
}

impl From<u16> for Port {
    /// 0 means [`Port::Auto`], as it does for the system.
    fn from(port: u16) -> Self {
        if port == 0 { Port::Auto } else { Port::Fixed(port) }
    }
}

/// Where the programs are. [`Assets::default`] looks where `make` puts them.
#[derive(Debug, Clone)]
pub struct Assets {
    /// Unpacked PostgreSQL, as `assets/fetch.sh` lays it out.
    pub postgres: PathBuf,
    /// `libchdb.so`.
    pub libchdb: PathBuf,
    /// `millrace-broker`; also `MILLRACE_BROKER_BIN`.
    pub broker: PathBuf,
    /// `millrace-clickhouse`; also `MILLRACE_CLICKHOUSE_BIN`. By default beside the running program.
    pub clickhouse: PathBuf,
}

impl Default for Assets {
    fn default() -> Self {
        let cache = cache_dir();
        let from_env = |name: &str| env::var_os(name).map(PathBuf::from);
        Assets {
            postgres: cache.join("postgres"),
            libchdb: cache.join("chdb/libchdb.so"),
            broker: from_env("MILLRACE_BROKER_BIN")
                .unwrap_or_else(|| cache.join("broker-target/debug/millrace-broker")),
            clickhouse: from_env("MILLRACE_CLICKHOUSE_BIN")
                .unwrap_or_else(|| beside_current_exe("millrace-clickhouse")),
        }
    }
}

/// `$MILLRACE_CACHE`, else `$XDG_CACHE_HOME/millrace`, else `~/.cache/millrace`.
pub fn cache_dir() -> PathBuf {
    let from_env = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    from_env("MILLRACE_CACHE")
        .or_else(|| from_env("XDG_CACHE_HOME").map(|p| p.join("millrace")))
        .or_else(|| from_env("HOME").map(|p| p.join(".cache/millrace")))
        .unwrap_or_else(|| PathBuf::from("/var/cache/millrace"))
}

/// A test program lives one folder below the programs it was built with (`debug/deps`).
fn beside_current_exe(name: &str) -> PathBuf {
    let exe = env::current_exe().unwrap_or_default();
    let folder = exe.parent().unwrap_or(&exe);
    let beside = folder.join(name);
    if !beside.exists() && folder.ends_with("deps") {
        return folder.with_file_name(name);
    }
    beside
}

/// PostgreSQL's memory and disk bounds.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// `shared_buffers`, MiB.
    pub shared_buffers_mib: u32,
    /// `max_connections`.
    pub max_connections: u32,
    /// `max_slot_wal_keep_size`, MiB: beyond it a slot that lags is invalidated before the disk fills.
    pub max_slot_wal_keep_mib: u32,
    /// More lines for `postgresql.conf`; they win over ours.
    pub extra: Vec<(String, String)>,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        PostgresSettings {
            shared_buffers_mib: 256,
            max_connections: 200,
            max_slot_wal_keep_mib: 16 * 1024,
            extra: Vec::new(),
        }
    }
}

/// How to start a [`crate::Stack`].
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything embedded keeps its files under this folder; made if missing.
    pub data_dir: PathBuf,
    /// Programs and libraries of the parts.
    pub assets: Assets,
    /// A PostgreSQL of one's own (`MILLRACE_POSTGRES_URL`): none is embedded then.
    pub postgres_url: Option<SecretString>,
    /// Kafka brokers of one's own (`MILLRACE_KAFKA_BROKERS`), `host:port[,host:port]`.
    pub kafka_brokers: Option<String>,
    /// A ClickHouse of one's own (`MILLRACE_CLICKHOUSE_URL`), `http://user:password@host:port`.
    pub clickhouse_url: Option<SecretString>,
    /// PostgreSQL's port.
    pub postgres_port: Port,
    /// The broker's port.
    pub kafka_port: Port,
    /// The HTTP port of ClickHouse.
    pub clickhouse_port: Port,
    /// Settings of the embedded PostgreSQL.
    pub postgres: PostgresSettings,
}

impl Options {
    /// Defaults: every part embedded, ports chosen freely.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Options {
            data_dir: data_dir.into(),
            assets: Assets::default(),
            postgres_url: None,
            kafka_brokers: None,
            clickhouse_url: None,
            postgres_port: Port::Auto,
            kafka_port: Port::Auto,
            clickhouse_port: Port::Auto,
            postgres: PostgresSettings::default(),
        }
    }

    /// Takes `MILLRACE_POSTGRES_URL`, `MILLRACE_KAFKA_BROKERS` and `MILLRACE_CLICKHOUSE_URL` where set.
    #[must_use]
    pub fn with_env(mut self) -> Self {
        let from_env = |name: &str| env::var(name).ok().filter(|v| !v.trim().is_empty());
        self.postgres_url = from_env("MILLRACE_POSTGRES_URL").map(Into::into).or(self.postgres_url);
        self.kafka_brokers = from_env("MILLRACE_KAFKA_BROKERS").or(self.kafka_brokers);
        self.clickhouse_url =
            from_env("MILLRACE_CLICKHOUSE_URL").map(Into::into).or(self.clickhouse_url);
        self
    }
}
