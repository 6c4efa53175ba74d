//! Logs and traces of the process: structured lines on stderr and, when a collector is given, OTLP.
//!
//! The tracer is installed in any case, so that each request has a trace id to name in problems and
//! to pass on with its events; without a collector nothing is recorded.

mod collector;

use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;

use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt as lines};

use crate::Error;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line, for machines.
    #[default]
    Json,
    /// For eyes.
    Pretty,
}

impl FromStr for Format {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            other => Err(Error::LogFormat { value: other.to_owned() }),
        }
    }
}

/// What [`init`] is told.
#[derive(Clone, Debug)]
pub struct Options {
    /// `service.name` of the spans.
    pub service: String,
    pub format: Format,
    /// Directives such as `info,millrace_server=debug`.
    pub filter: String,
    /// Base URL of an OTLP collector over HTTP, such as `http://127.0.0.1:4318`; none: no export.
    pub otlp_url: Option<String>,
    /// Share of the traces that begin here that is recorded, 0 to 1. A trace that began elsewhere
    /// follows its own flag.
    pub sample_ratio: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            service: "millrace".to_owned(),
            format: Format::default(),
            filter: "info".to_owned(),
            otlp_url: None,
            sample_ratio: 1.0,
        }
    }
}

/// The running telemetry; keep it until the process ends and then call [`Telemetry::shutdown`].
pub struct Telemetry {
    provider: SdkTracerProvider,
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").finish_non_exhaustive()
    }
}

impl Telemetry {
    /// Sends what is still buffered, for at most a few seconds.
    pub async fn flush(&self) {
        let provider = self.provider.clone();
        let flushed = tokio::task::spawn_blocking(move || provider.force_flush()).await;
        if !matches!(flushed, Ok(Ok(()))) {
            tracing::warn!("some spans could not be sent to the collector");
        }
    }

    /// Sends what is still buffered and stops.
    pub async fn shutdown(self) {
        let provider = self.provider;
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown()).await;
        if !matches!(stopped, Ok(Ok(()))) {
            tracing::warn!("some spans could not be sent to the collector before the end");
        }
    }
}

/// Installs logs, the tracer and the W3C propagator for the whole process, once. Call it inside the
/// tokio runtime that will carry the export.
///
/// # Errors
/// [`Error::LogFilter`] or [`Error::Collector`] when an option is not usable,
/// [`Error::TelemetryTwice`] when called again.
pub fn init(options: &Options) -> Result<Telemetry, Error> {
    let filter = EnvFilter::try_new(&options.filter)
        .map_err(|source| Error::LogFilter { value: options.filter.clone(), source })?;
    let provider = tracer_provider(options)?;
    let tracer = provider.tracer("millrace");

    // The exporter's own HTTP client must not be traced into the collector it writes to.
    let exported = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("hyper_util", LevelFilter::OFF)
        .with_target("reqwest", LevelFilter::OFF)
        .with_target("opentelemetry", LevelFilter::OFF)
        .with_target("opentelemetry_sdk", LevelFilter::OFF)
        .with_target("opentelemetry_otlp", LevelFilter::OFF)
        .with_target("sqlx", LevelFilter::OFF);
    let spans = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(exported);
    let written = match options.format {
        Format::Json => {
            lines::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed()
        }
        Format::Pretty => {
            let is_colored =
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            lines::layer().with_ansi(is_colored).with_writer(std::io::stderr).boxed()
        }
    };
    tracing_subscriber::registry()
        .with(spans)
        .with(written.with_filter(filter))
        .try_init()
        .map_err(|_| Error::TelemetryTwice)?;

    global::set_text_map_propagator(TraceContextPropagator::new());
    global::set_tracer_provider(provider.clone());
    Ok(Telemetry { provider })
}

fn tracer_provider(options: &Options) -> Result<SdkTracerProvider, Error> {
    let resource = Resource::builder().with_service_name(options.service.clone()).build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(url) = &options.otlp_url else {
        return Ok(builder.with_sampler(Sampler::AlwaysOff).build());
    };
    let roots = Sampler::TraceIdRatioBased(options.sample_ratio);
    Ok(builder
        .with_sampler(Sampler::ParentBased(Box::new(roots)))
        .with_batch_exporter(collector::exporter(url)?)
        .build())
}
