//! The process's metrics, rendered for Prometheus.

use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::Error;

/// Seconds: from a tenth of a millisecond, the fastest epoch, to half a minute, the request time-out.
const SECONDS: [f64; 16] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    10.0, 30.0,
];
const UPKEEP: Duration = Duration::from_secs(5);

/// Installs the recorder that every `metrics` macro of the process writes to, once, and answers the
/// handle `/metrics` renders. Call it inside the tokio runtime: histograms are folded by a task.
///
/// # Errors
/// [`Error::Recorder`] when another recorder is installed.
pub fn install() -> Result<PrometheusHandle, Error> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Error::Recorder { reason: error.to_string() })?;
    let folded = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            folded.run_upkeep();
        }
    });
    Ok(handle)
}
