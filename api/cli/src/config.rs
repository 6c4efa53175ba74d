//! Settings: `default.toml` ← a file ← the environment. All problems are reported at once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use config::{Config, Environment, File, FileFormat};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

const DEFAULTS: &str = include_str!("default.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub environment: String,
    pub data_dir: PathBuf,
    pub postgres: Postgres,
    pub kafka: Kafka,
    pub clickhouse: ClickHouse,
    pub gateway: Gateway,
    pub relay: Relay,
    pub pipeline: Pipeline,
    pub telemetry: Telemetry,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Postgres {
    pub url: SecretString,
    pub connections_max: u32,
    pub port: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    pub brokers: String,
    pub port: u16,
    pub partitions: i32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClickHouse {
    pub url: SecretString,
    pub port: u16,
    pub retention_days: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    pub host: std::net::IpAddr,
    pub port: u16,
    pub cors_origins: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    pub acknowledge_delay_seconds: u64,
    pub outbox_days: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    pub checkpoint_seconds: u64,
    pub workers: usize,
    pub state_megabytes_max: usize,
    pub log_copy: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    pub log_format: LogFormat,
    pub log_filter: String,
    pub otlp_endpoint: String,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Pretty,
    Json,
}

impl Settings {
    /// Reads the settings; `data_dir` wins over all when given.
    ///
    /// # Errors
    /// What is wrong and where, all of it.
    pub fn load(file: Option<&Path>, data_dir: Option<&Path>) -> Result<Self> {
        let mut builder = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(file) = file {
            builder = builder.add_source(File::from(file).format(FileFormat::Toml).required(true));
        }
        builder = builder.add_source(
            Environment::with_prefix("MILLRACE").prefix_separator("__").separator("__"),
        );
        // The three servers have short names: people set them most.
        for (variable, key) in [
            ("MILLRACE_POSTGRES_URL", "postgres.url"),
            ("MILLRACE_KAFKA_BROKERS", "kafka.brokers"),
            ("MILLRACE_CLICKHOUSE_URL", "clickhouse.url"),
        ] {
            builder = builder.set_override_option(key, std::env::var(variable).ok())?;
        }
        let settings: Self = builder
            .build()
            .and_then(Config::try_deserialize)
            .context("the settings can't be used; see `millrace config` for all of them")?;
        let settings = match data_dir {
            Some(data_dir) => Self { data_dir: data_dir.to_owned(), ..settings },
            None => settings,
        };
        settings.check()?;
        Ok(settings)
    }

    /// The documented defaults, as a file to start from.
    #[must_use]
    pub fn defaults() -> &'static str {
        DEFAULTS
    }

    /// The log filter nobody has changed.
    #[must_use]
    pub fn default_filter() -> String {
        let defaults: toml::Table = toml::from_str(DEFAULTS).expect("the defaults are valid TOML");
        defaults["telemetry"]["log_filter"].as_str().unwrap_or_default().to_owned()
    }

    fn check(&self) -> Result<()> {
        let mut problems = Vec::new();
        if self.kafka.partitions < 1 {
            problems.push("kafka.partitions must be at least 1".to_owned());
        }
        if self.postgres.connections_max < 2 {
            problems.push("postgres.connections_max must be at least 2".to_owned());
        }
        if self.pipeline.checkpoint_seconds == 0 {
            problems.push("pipeline.checkpoint_seconds must be at least 1".to_owned());
        }
        if self.pipeline.workers == 0 {
            problems.push("pipeline.workers must be at least 1".to_owned());
        }
        for (name, url) in
            [("postgres.url", &self.postgres.url), ("clickhouse.url", &self.clickhouse.url)]
        {
            let url = url.expose_secret();
            if !url.is_empty() && !url.contains("://") {
                problems.push(format!("{name} must be a URL or empty"));
            }
        }
        if problems.is_empty() { Ok(()) } else { bail!("settings: {}", problems.join("; ")) }
    }
}

/// A setting whose empty value means: none.
#[must_use]
pub fn given(secret: &SecretString) -> Option<SecretString> {
    (!secret.expose_secret().is_empty()).then(|| secret.clone())
}
