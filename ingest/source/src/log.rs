//! The log itself, read with librdkafka: every partition of every topic, assigned by hand, nothing
//! committed, no group joined. Each partition has its own queue, so that one that runs ahead is
//! simply not read; librdkafka stops fetching it when its small prefetch is full.

mod frontier;
mod pump;
mod read;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use millrace_events::Topic;
use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::{Error, SourceOptions};
pub(crate) use pump::{Odd, pump};
use read::Read;

const CALL_TIMEOUT: Duration = Duration::from_secs(2);
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Where the log is and how to read it.
#[derive(Clone, Debug)]
pub(crate) struct LogOptions {
    pub(crate) brokers: String,
    /// How long the broker may keep a request that finds nothing new.
    pub(crate) fetch_wait: Duration,
    /// Read ahead per partition.
    pub(crate) prefetch_bytes: usize,
    pub(crate) open_wait: Duration,
}

impl LogOptions {
    /// For the pipeline: little delay, enough read ahead for a replay.
    pub(crate) fn live(options: &SourceOptions) -> Self {
        Self {
            brokers: options.kafka_brokers.clone(),
            fetch_wait: options.fetch_wait,
            prefetch_bytes: 4 << 20,
            open_wait: options.open_wait,
        }
    }

    /// For catching up in the background.
    pub(crate) fn background(options: &SourceOptions) -> Self {
        Self {
            fetch_wait: Duration::from_millis(100),
            prefetch_bytes: 1 << 20,
            ..Self::live(options)
        }
    }
}

/// All partitions of the log, being read.
pub(crate) struct Log {
    brokers: String,
    consumer: Arc<BaseConsumer<Context>>,
    partitions: Vec<LogPartition>,
    frontier: PartitionQueue<Context>,
    connected: Arc<AtomicBool>,
}

struct LogPartition {
    topic: Topic,
    partition: i32,
    queue: PartitionQueue<Context>,
}

/// Hears of connections lost; librdkafka mends them by itself.
pub(crate) struct Context {
    connected: Arc<AtomicBool>,
}

impl ConsumerContext for Context {}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(facility, "{message}"),
            _ => tracing::debug!(facility, "{message}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.connected.store(false, Ordering::Relaxed);
        tracing::warn!(%error, reason, "connection to the log");
    }
}

impl Log {
    /// Starts to read each partition at its offset in `offsets` (0 where there is none), `wake` is
    /// called whenever something came for a partition that had nothing. Waiting for the broker ends
    /// with [`Error::Closed`] once `is_over`.
    pub(crate) fn open(
        options: &LogOptions,
        offsets: &BTreeMap<String, Vec<i64>>,
        wake: impl Fn() + Clone + Send + Sync + 'static,
        is_over: impl Fn() -> bool,
    ) -> Result<Self, Error> {
        let connected = Arc::new(AtomicBool::new(true));
        let brokers = options.brokers.clone();
        let broken = |error: KafkaError| options.broken(&error);
        let context = Context { connected: connected.clone() };
        let consumer: BaseConsumer<Context> =
            options.config().create_with_context(context).map_err(broken)?;
        let consumer = Arc::new(consumer);
        let counts = options.partition_counts(&consumer, is_over)?;

        let mut assignment = TopicPartitionList::new();
        for (topic, count) in Topic::ALL.iter().zip(&counts) {
            let known = offsets.get(topic.as_str()).map_or(&[][..], Vec::as_slice);
            if known.len() > *count {
                return Err(Error::Partitions {
                    topic: topic.to_string(),
                    known: known.len(),
                    found: *count,
                });
            }
            for partition in 0..*count {
                let offset = known.get(partition).copied().unwrap_or(0);
                assignment
                    .add_partition_offset(topic.as_str(), partition as i32, Offset::Offset(offset))
                    .map_err(broken)?;
            }
        }
        let (low, high) =
            consumer.fetch_watermarks(Topic::FRONTIER, 0, CALL_TIMEOUT).map_err(broken)?;
        let newest = Offset::Offset((high - 1).max(low));
        assignment.add_partition_offset(Topic::FRONTIER, 0, newest).map_err(broken)?;

        let queue = |topic: &str, partition: i32| {
            let mut queue = consumer
                .split_partition_queue(topic, partition)
                .ok_or_else(|| options.broken(&format!("no queue for {topic}[{partition}]")))?;
            queue.set_nonempty_callback(wake.clone());
            Ok(queue)
        };
        let mut partitions = Vec::new();
        for (topic, count) in Topic::ALL.iter().zip(&counts) {
            for partition in 0..*count as i32 {
                let queue = queue(topic.as_str(), partition)?;
                partitions.push(LogPartition { topic: *topic, partition, queue });
            }
        }
        let frontier = queue(Topic::FRONTIER, 0)?;
        // Only now: what is fetched before a partition has its own queue goes to the common one.
        consumer.assign(&assignment).map_err(broken)?;
        Ok(Self { brokers, consumer, partitions, frontier, connected })
    }

    /// How many partitions there are in all; they are numbered from 0.
    pub(crate) fn len(&self) -> usize {
        self.partitions.len()
    }

    pub(crate) fn place(&self, index: usize) -> (Topic, i32) {
        let LogPartition { topic, partition, .. } = &self.partitions[index];
        (*topic, *partition)
    }

    /// Whether something was read since a connection was last lost.
    pub(crate) fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// Serves librdkafka's own events; to be called now and then.
    ///
    /// # Errors
    /// [`Error::Broker`] if a message came outside its partition's queue: it would be out of order.
    pub(crate) fn serve(&self) -> Result<(), Error> {
        match self.consumer.poll(Duration::ZERO) {
            None => Ok(()),
            Some(Err(error)) => {
                tracing::debug!(%error, "event of the consumer");
                Ok(())
            }
            Some(Ok(message)) => Err(Error::Broker {
                brokers: self.brokers.clone(),
                reason: format!(
                    "librdkafka gave {}[{}]@{} outside its partition's queue",
                    message.topic(),
                    message.partition(),
                    message.offset()
                ),
            }),
        }
    }
}

impl LogOptions {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            // librdkafka wants a name before it lets partitions be assigned; no group is joined.
            .set("group.id", "millrace-source")
            .set("client.id", "millrace-source")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // An offset beyond the end (a broker that lost its tail) is read from the beginning:
            // positions tell what is new.
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "false")
            .set("check.crcs", "true")
            .set("fetch.min.bytes", "1")
            .set("fetch.wait.max.ms", self.fetch_wait.as_millis().to_string())
            .set("fetch.error.backoff.ms", "20")
            // A full queue is looked at again soon: replay would stutter with the usual second.
            .set("fetch.queue.backoff.ms", "2")
            .set("queued.min.messages", "100000")
            .set("queued.max.messages.kbytes", (self.prefetch_bytes / 1024).max(1).to_string())
            .set("socket.nagle.disable", "true")
            .set("reconnect.backoff.ms", "50")
            .set("reconnect.backoff.max.ms", "1000");
        config
    }

    /// Partitions of each topic, in the order of [`Topic::ALL`], once all topics exist.
    fn partition_counts(
        &self,
        consumer: &BaseConsumer<Context>,
        is_over: impl Fn() -> bool,
    ) -> Result<Vec<usize>, Error> {
        let since = Instant::now();
        loop {
            if is_over() {
                return Err(Error::Closed);
            }
            let is_last = since.elapsed() >= self.open_wait;
            // All topics at once: asking for one by name would let some brokers create it.
            let found = match consumer.fetch_metadata(None, CALL_TIMEOUT) {
                Ok(metadata) => {
                    let count = |name: &str| {
                        let topics = metadata.topics().iter();
                        let found =
                            topics.filter(|topic| topic.name() == name && topic.error().is_none());
                        found.map(|topic| topic.partitions().len()).find(|count| *count > 0)
                    };
                    let names = Topic::ALL.iter().map(|topic| topic.as_str());
                    let missing = names.chain([Topic::FRONTIER]).find(|name| count(name).is_none());
                    missing.map_or_else(
                        || {
                            Ok(Topic::ALL
                                .iter()
                                .filter_map(|topic| count(topic.as_str()))
                                .collect())
                        },
                        |topic| {
                            Err(Error::NoTopic {
                                topic: topic.to_owned(),
                                brokers: self.brokers.clone(),
                                waited: self.open_wait,
                            })
                        },
                    )
                }
                Err(error) => Err(self.broken(&error)),
            };
            if found.is_ok() || is_last {
                return found;
            }
            std::thread::sleep(ASK_AGAIN);
        }
    }

    fn broken(&self, reason: &dyn std::fmt::Display) -> Error {
        Error::Broker { brokers: self.brokers.clone(), reason: reason.to_string() }
    }
}
