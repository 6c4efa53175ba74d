//! `millrace up`.

use anyhow::Result;
use millrace_server::telemetry::{self, Telemetry};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Up;
use crate::config::{LogFormat, Settings};
use crate::operator;
use crate::system::System;

/// Logs and traces as the settings say.
pub fn telemetry(settings: &Settings) -> Result<Telemetry> {
    let endpoint = &settings.telemetry.otlp_endpoint;
    Ok(telemetry::init(&telemetry::Options {
        format: match settings.telemetry.log_format {
            LogFormat::Pretty => telemetry::Format::Pretty,
            LogFormat::Json => telemetry::Format::Json,
        },
        filter: settings.telemetry.log_filter.clone(),
        otlp_url: (!endpoint.is_empty()).then(|| endpoint.clone()),
        ..telemetry::Options::default()
    })?)
}

/// Starts everything and stays until told to end.
///
/// # Errors
/// What did not start, or ended by itself.
pub async fn run(mut settings: Settings, up: &Up) -> Result<()> {
    settings.gateway.port = up.port.unwrap_or(settings.gateway.port);
    let telemetry = telemetry(&settings)?;
    let metrics = millrace_server::meter::install()?;
    let mut system = System::start(settings, Some(metrics)).await?;
    let _pass = operator::leave_pass(&system)?.drop_guard();
    eprintln!("Millrace is up: {}", system.url());
    let outcome = until_ended(&mut system).await;
    eprintln!("ending");
    system.shutdown().await;
    telemetry.shutdown().await;
    outcome
}

/// Waits for Ctrl-C, SIGTERM, or a role that ends by itself.
///
/// # Errors
/// Why a role ended.
pub async fn until_ended(system: &mut System) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
        _ = terminate.recv() => Ok(()),
        error = system.failed() => Err(error),
    }
}
