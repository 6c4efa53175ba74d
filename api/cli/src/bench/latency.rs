//! Latencies, in milliseconds, kept to three digits.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Ten minutes, in microseconds: what is slower counts as that.
const SLOWEST_US: u64 = 600_000_000;

#[derive(Debug)]
pub struct Latencies(Histogram<u64>);

/// Percentiles in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
    pub count: u64,
}

impl Latencies {
    #[must_use]
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, SLOWEST_US, 3).expect("the bounds are valid"))
    }

    pub fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(SLOWEST_US);
        self.0.saturating_record(micros.max(1));
    }

    #[must_use]
    pub fn percentiles(&self) -> Percentiles {
        let at = |quantile| ms(self.0.value_at_quantile(quantile));
        Percentiles {
            p50: at(0.5),
            p95: at(0.95),
            p99: at(0.99),
            max: ms(self.0.max()),
            count: self.0.len(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
fn ms(micros: u64) -> f64 {
    micros as f64 / 1000.0
}
