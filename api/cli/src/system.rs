//! Everything in one process: the embedded servers, the write services, relay, pipeline, gateway.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::Utc;
use metrics_exporter_prometheus::PrometheusHandle;
use millrace_doctor::Doctor;
use millrace_kernel::{Clock, Kernel, Service, SystemClock};
use millrace_local::{Part as Server, Stack, State as ServerState};
use millrace_olap::{Connection, LoaderOptions};
use millrace_relay::{Phase, Relay, RelayHandle, RelayOptions};
use millrace_server::{Gateway, GatewayParts, GatewayState, Identity, Options, Part, Parts};
use millrace_views::{Pipeline, PipelineHandle, PipelineOptions, Registry, State};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{Settings, given};
use crate::{feed, folders::Folders};

/// In the order their schemas are made: a service comes after those it calls.
pub const SERVICES: &[&Service] = &[
    &millrace_product::SERVICE,
    &millrace_party::SERVICE,
    &millrace_finance::SERVICE,
    &millrace_inventory::SERVICE,
    &millrace_sales::SERVICE,
    &millrace_purchase::SERVICE,
    &millrace_server::identity::SERVICE,
];

/// Partitions are made a week ahead.
const HOUSEKEEPING: Duration = Duration::from_secs(6 * 3600);
const RELAY_START_MAX: Duration = Duration::from_secs(60);

/// A running system. End it with [`System::shutdown`]: dropped, it ends as in a crash, which loses
/// nothing either.
#[derive(Debug)]
pub struct System {
    pub settings: Settings,
    pub folders: Folders,
    pub stack: Arc<Stack>,
    pub kernel: Kernel,
    pub relay: RelayHandle,
    pub pipeline: PipelineHandle,
    pub identity: Identity,
    /// Of the gateway.
    pub address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), millrace_server::Error>>,
}

/// The servers and an up-to-date database: what `migrate` needs and everything else begins with.
pub struct Base {
    pub stack: Stack,
    pub kernel: Kernel,
    pub folders: Folders,
}

impl Base {
    /// # Errors
    /// A part that does not start, by name.
    pub async fn start(settings: &Settings) -> Result<Self> {
        let folders = Folders::make(&settings.data_dir)?;
        let stack = Stack::start(stack_options(settings)).await.context("starting the servers")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let kernel_settings = millrace_kernel::Settings {
            connections_max: settings.postgres.connections_max,
            ..millrace_kernel::Settings::default()
        };
        let url = &stack.endpoints().postgres_url;
        let kernel = Kernel::connect_with(url, clock, kernel_settings).await?;
        millrace_kernel::migrate(&kernel, SERVICES).await?;
        millrace_kernel::require_published(kernel.pool(), SERVICES).await?;
        Ok(Self { stack, kernel, folders })
    }
}

impl System {
    /// Starts everything and returns once the gateway answers.
    ///
    /// # Errors
    /// What did not start and why.
    pub async fn start(settings: Settings, metrics: Option<PrometheusHandle>) -> Result<Self> {
        // First of all: a taken port is better known before a minute of starting.
        let listener = TcpListener::bind((settings.gateway.host, settings.gateway.port))
            .await
            .with_context(|| {
                format!(
                    "the gateway's port {} on {} is taken: choose another with --port, or 0 for a free one",
                    settings.gateway.port, settings.gateway.host
                )
            })?;
        let address = listener.local_addr()?;
        let Base { stack, kernel, folders } = Base::start(&settings).await?;
        let stack = Arc::new(stack);
        let relay = start_relay(&settings, &stack, &folders).await?;
        let pipeline = start_pipeline(&settings, &stack, &folders).await?;
        let identity = Identity::open(&kernel, None).await?;

        let shutdown = CancellationToken::new();
        tokio::spawn(shutdown.clone().run_until_cancelled_owned(keep_house(kernel.clone())));
        let dead_letters = feed::dead_letters(&folders)?;
        let state = GatewayState::new(GatewayParts {
            kernel: kernel.clone(),
            identity: identity.clone(),
            pipeline: Some(pipeline.clone()),
            doctor: Some(Doctor {
                pool: kernel.pool().clone(),
                postgres_url: stack.endpoints().postgres_url.clone(),
                kafka_brokers: stack.endpoints().kafka_brokers.clone(),
                pipeline: pipeline.clone(),
                dead_letters: dead_letters.clone(),
            }),
            dead_letters: Some(dead_letters),
            metrics,
            parts: parts(&stack, &relay, &pipeline),
            options: Options {
                environment: settings.environment.clone(),
                cors_origins: settings.gateway.cors_origins.clone(),
                ..Options::default()
            },
            shutdown: shutdown.clone(),
        });
        let router = Gateway::router(&state)?;
        let serving =
            tokio::spawn(async move { millrace_server::serve(listener, router, &state).await });
        Ok(Self {
            settings,
            folders,
            stack,
            kernel,
            relay,
            pipeline,
            identity,
            address,
            shutdown,
            serving,
        })
    }

    /// `http://host:port` of the gateway.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns when the gateway or the relay ends by itself, with the reason.
    pub async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            served = &mut self.serving => match served {
                Ok(Ok(())) => anyhow::anyhow!("the gateway has ended"),
                Ok(Err(error)) => error.into(),
                Err(error) => error.into(),
            },
            relayed = self.relay.join() => match relayed {
                Ok(()) => anyhow::anyhow!("the relay has ended"),
                Err(error) => anyhow::Error::new(error),
            },
        }
    }

    /// Ends everything in order: requests, relay, pipeline with a checkpoint, servers.
    pub async fn shutdown(self) {
        self.shutdown.cancel();
        if !self.serving.is_finished() {
            let _ = self.serving.await;
        }
        self.relay.shutdown();
        if let Err(error) = self.relay.join().await {
            tracing::warn!(%error, "the relay ended badly");
        }
        self.pipeline.shutdown().await;
        self.kernel.close().await;
        match Arc::try_unwrap(self.stack) {
            Ok(stack) => stack.shutdown().await,
            Err(shared) => drop(shared),
        }
    }
}

/// Outbox partitions of the days to come are made, old idempotency keys forgotten.
async fn keep_house(kernel: Kernel) {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    loop {
        tick.tick().await;
        if let Err(error) = millrace_kernel::maintain(&kernel, SERVICES).await {
            tracing::warn!(%error, "housekeeping in PostgreSQL failed; it is tried again later");
        }
    }
}

fn stack_options(settings: &Settings) -> millrace_local::Options {
    let brokers = &settings.kafka.brokers;
    millrace_local::Options {
        postgres_url: given(&settings.postgres.url),
        kafka_brokers: (!brokers.is_empty()).then(|| brokers.clone()),
        clickhouse_url: given(&settings.clickhouse.url),
        postgres_port: settings.postgres.port.into(),
        kafka_port: settings.kafka.port.into(),
        clickhouse_port: settings.clickhouse.port.into(),
        ..millrace_local::Options::new(&settings.data_dir)
    }
}

/// What the relay and its remedies are told.
pub fn relay_options(settings: &Settings, stack: &Stack, folders: &Folders) -> RelayOptions {
    let endpoints = stack.endpoints();
    let mut options = RelayOptions::new(
        endpoints.postgres_url.clone(),
        endpoints.kafka_brokers.clone(),
        &folders.relay,
        Arc::new(Utc::now),
    );
    options.partitions = settings.kafka.partitions;
    options.confirm_delay = Duration::from_secs(settings.relay.acknowledge_delay_seconds);
    options.outbox_keep_days = settings.relay.outbox_days;
    options
}

pub async fn start_relay(
    settings: &Settings,
    stack: &Stack,
    folders: &Folders,
) -> Result<RelayHandle> {
    let relay = Relay::start(relay_options(settings, stack, folders));
    let mut status = relay.watch();
    let leading = status
        .wait_for(|status| matches!(status.phase, Phase::Leading) || status.phase.has_ended());
    let phase = match tokio::time::timeout(RELAY_START_MAX, leading).await {
        Ok(status) => status.map(|status| status.phase.clone())?,
        Err(_) => relay.status().phase,
    };
    match phase {
        Phase::Leading => Ok(relay),
        Phase::Halted(error) => bail!(
            "the relay halts: {error}\nhint: give the commands named here the same --data-dir and --config"
        ),
        phase => match phase.error() {
            Some(error) => bail!("the relay is {}: {error}", phase.name()),
            None => bail!("the relay is still {} after {RELAY_START_MAX:?}", phase.name()),
        },
    }
}

async fn start_pipeline(
    settings: &Settings,
    stack: &Stack,
    folders: &Folders,
) -> Result<PipelineHandle> {
    let endpoints = stack.endpoints();
    let registry = Registry::load().context("reading the views")?;
    let clock: millrace_source::Clock = Arc::new(Utc::now);
    let connection = Connection::new(
        endpoints.clickhouse_url.clone(),
        endpoints.clickhouse_user.clone(),
        endpoints.clickhouse_password.clone(),
    );
    let mut marts = LoaderOptions::new(connection);
    marts.raw_days_kept = settings.clickhouse.retention_days;
    let mut options = PipelineOptions::new(registry, &folders.pipeline, Arc::clone(&clock));
    options.checkpoint_interval = Duration::from_secs(settings.pipeline.checkpoint_seconds);
    options.engine.workers = settings.pipeline.workers;
    if settings.pipeline.state_megabytes_max > 0 {
        options.engine.state_bytes_max = settings.pipeline.state_megabytes_max << 20;
    }
    options.marts = Some(marts);
    let feeds = feed::log(&endpoints.kafka_brokers, folders, settings.pipeline.log_copy, clock)?;
    Ok(Pipeline::start(options, feeds).await?)
}

/// How each part fares, for `/healthz` and the status bar.
fn parts(stack: &Arc<Stack>, relay: &RelayHandle, pipeline: &PipelineHandle) -> Parts {
    // The gateway must not keep the servers alive.
    let stack = Arc::downgrade(stack);
    let (relay, pipeline) = (relay.clone(), pipeline.clone());
    Parts::new(move || {
        let mut parts = BTreeMap::new();
        if let Some(stack) = stack.upgrade() {
            for (server, status) in stack.status() {
                let part = match status.state {
                    ServerState::Running | ServerState::External => Part::ready(),
                    ServerState::Starting => Part::starting(status.last_error.unwrap_or_default()),
                    _ => Part::down(status.last_error.unwrap_or_default()),
                };
                parts.insert(Server::name(server).to_owned(), part);
            }
        }
        parts.insert("relay".to_owned(), relay_part(&relay));
        parts.insert("pipeline".to_owned(), pipeline_part(&pipeline));
        parts
    })
}

fn relay_part(relay: &RelayHandle) -> Part {
    let status = relay.status();
    let reason = status.phase.error().map(ToString::to_string);
    match status.phase {
        Phase::Leading => Part { detail: status.alarm.unwrap_or_default(), ..Part::ready() },
        Phase::Starting => Part::starting("connecting"),
        Phase::Stopped => Part::down("stopped"),
        Phase::Waiting(_) | Phase::Retrying(_) | Phase::Halted(_) => {
            Part::down(reason.unwrap_or_default())
        }
    }
}

fn pipeline_part(pipeline: &PipelineHandle) -> Part {
    match pipeline.status().state {
        State::Running => Part::ready(),
        State::Starting => Part::starting("restoring its checkpoint"),
        other => Part::down(serde_json::to_string(&other).unwrap_or_default()),
    }
}
