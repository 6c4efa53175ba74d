//! What the relay says about how far it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_events::{Frontier, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{CALL_TIMEOUT, Context, Log, LogOptions};
use crate::Error;

/// How long to wait before asking whether the waiting is over.
const PATIENCE: Duration = Duration::from_millis(100);

impl Log {
    /// The next frontier that has already arrived; what can't be read is passed over, since the
    /// relay soon sends the next.
    pub(crate) fn read_frontier(&self) -> Option<Frontier> {
        loop {
            let message = match self.frontier.poll(Duration::ZERO)? {
                Ok(message) => message,
                Err(error) => {
                    tracing::warn!(%error, "reading the frontier");
                    return None;
                }
            };
            self.connected.store(true, Ordering::Relaxed);
            if let Some(frontier) = read(&message) {
                return Some(frontier);
            }
        }
    }
}

impl LogOptions {
    /// The newest frontier there is, once the broker answers; none of an empty log. It is of incarnation
    /// `known` or a later one: what an earlier one says does not count any more.
    ///
    /// # Errors
    /// [`Error::Broker`] or [`Error::NoTopic`] after `open_wait`, [`Error::NoFrontier`],
    /// [`Error::Closed`] once `is_over`.
    pub(crate) fn newest_frontier(
        &self,
        known: u32,
        is_over: impl Fn() -> bool,
    ) -> Result<Option<Frontier>, Error> {
        let broken = |error: KafkaError| self.broken(&error);
        let context = Context { connected: Arc::new(AtomicBool::new(true)) };
        let consumer: BaseConsumer<Context> =
            self.config().create_with_context(context).map_err(broken)?;
        let counts = self.partition_counts(&consumer, &is_over)?;
        let ends = |topic: &str, partition: usize| {
            consumer.fetch_watermarks(topic, partition as i32, CALL_TIMEOUT).map_err(broken)
        };
        let (low, high) = ends(Topic::FRONTIER, 0)?;
        if low == high {
            for (topic, count) in Topic::ALL.iter().zip(&counts) {
                for partition in 0..*count {
                    if ends(topic.as_str(), partition)?.1 > 0 {
                        return Err(Error::NoFrontier { known });
                    }
                }
            }
            return Ok(None);
        }
        let mut assignment = TopicPartitionList::new();
        let newest = Offset::Offset(high - 1);
        assignment.add_partition_offset(Topic::FRONTIER, 0, newest).map_err(broken)?;
        consumer.assign(&assignment).map_err(broken)?;
        let since = Instant::now();
        loop {
            match consumer.poll(PATIENCE) {
                Some(Ok(message)) => {
                    let newest = read(&message).filter(|newest| newest.incarnation >= known);
                    return newest.map(Some).ok_or(Error::NoFrontier { known });
                }
                Some(Err(error)) => tracing::warn!(%error, "reading the newest frontier"),
                None => {}
            }
            if is_over() {
                return Err(Error::Closed);
            }
            if since.elapsed() >= self.open_wait {
                return Err(self.broken(&"the newest frontier does not come"));
            }
        }
    }
}

/// None for what can't be read.
fn read(message: &BorrowedMessage<'_>) -> Option<Frontier> {
    let read = serde_json::from_slice(message.payload().unwrap_or_default());
    read.inspect_err(|error| {
        tracing::warn!(%error, offset = message.offset(), "a frontier can't be read");
    })
    .ok()
}
