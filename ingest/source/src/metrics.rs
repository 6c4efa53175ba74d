//! What the source tells Prometheus.

use std::time::Duration;

use metrics::{counter, gauge, histogram};

use crate::SourceStatus;

const EVENTS: &str = "millrace_source_events_total";
const BYTES: &str = "millrace_source_bytes_total";
const EPOCHS: &str = "millrace_source_epochs_total";
const DECODE_SECONDS: &str = "millrace_source_decode_seconds";
const DEAD_LETTERS: &str = "millrace_source_dead_letters_total";
const FOREIGN: &str = "millrace_source_foreign_messages_total";
const COPIES: &str = "millrace_source_copies_dropped_total";
const GAPS: &str = "millrace_source_gaps_total";
const POSITION: &str = "millrace_source_position";
const LAG: &str = "millrace_source_lag_positions";
const BUFFERED: &str = "millrace_source_buffered_bytes";
const OLDEST: &str = "millrace_source_oldest_event_age_seconds";
const COPY_LAG: &str = "millrace_source_copy_lag_positions";

/// Registers names, units and meanings with the recorder.
pub(crate) fn describe() {
    use metrics::Unit::{Bytes, Count, Seconds};
    metrics::describe_counter!(EVENTS, Count, "Events passed, dead letters included");
    metrics::describe_counter!(BYTES, Bytes, "JSON of the events passed");
    metrics::describe_counter!(EPOCHS, Count, "Epochs given out");
    metrics::describe_histogram!(DECODE_SECONDS, Seconds, "Decoding of one epoch");
    metrics::describe_counter!(DEAD_LETTERS, Count, "Events kept as dead letters");
    metrics::describe_counter!(FOREIGN, Count, "Messages without the relay's headers");
    metrics::describe_counter!(COPIES, Count, "Copies of events dropped");
    metrics::describe_counter!(GAPS, Count, "Positions that had to be waited for");
    metrics::describe_gauge!(POSITION, Count, "Last position given out");
    metrics::describe_gauge!(LAG, Count, "Positions known to be in the log and not given out");
    metrics::describe_gauge!(BUFFERED, Bytes, "Events held until their turn");
    metrics::describe_gauge!(OLDEST, Seconds, "Age of the oldest event of the last epoch");
    metrics::describe_gauge!(COPY_LAG, Count, "Positions given out and not yet in the second copy");
    // What has never happened is told as 0, so that an alarm on its growth sees the first time.
    for rare in [FOREIGN, COPIES, GAPS] {
        counter!(rare).increment(0);
    }
}

/// One epoch as it leaves.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) dead_lettered: usize,
    pub(crate) decoding: Duration,
    pub(crate) oldest_event_age: Option<Duration>,
}

impl Given {
    pub(crate) fn record(&self) {
        counter!(EPOCHS).increment(1);
        counter!(EVENTS).increment(self.events as u64);
        counter!(BYTES).increment(self.bytes as u64);
        counter!(DEAD_LETTERS).increment(self.dead_lettered as u64);
        histogram!(DECODE_SECONDS).record(self.decoding.as_secs_f64());
        if let Some(age) = self.oldest_event_age {
            gauge!(OLDEST).set(age.as_secs_f64());
        }
    }
}

pub(crate) fn copies_dropped(count: u64) {
    counter!(COPIES).increment(count);
}

pub(crate) fn foreign() {
    counter!(FOREIGN).increment(1);
}

pub(crate) fn gap() {
    counter!(GAPS).increment(1);
}

pub(crate) fn status(status: &SourceStatus) {
    gauge!(POSITION).set(status.position.0 as f64);
    gauge!(LAG).set(status.lag() as f64);
    gauge!(BUFFERED).set(status.buffered_bytes as f64);
    if let Some(copied) = status.copy_position {
        gauge!(COPY_LAG).set(status.position.0.saturating_sub(copied.0) as f64);
    }
}
