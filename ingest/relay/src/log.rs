//! The relay's side of Kafka: topics, messages, what the log holds, publishing.

pub(crate) mod message;
pub(crate) mod publish;
pub(crate) mod read;
pub(crate) mod topics;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;

use crate::{Error, RelayOptions};

/// How long a question to the broker may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// What every client of the broker is configured with.
pub(crate) fn client(options: &RelayOptions) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &options.kafka_brokers)
        .set("client.id", "millrace-relay")
        .set("socket.nagle.disable", "true")
        .set("socket.keepalive.enable", "true")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("log_level", "3");
    config
}

/// Wraps what librdkafka says with what was being done.
pub(crate) fn failed(
    options: &RelayOptions,
    doing: &'static str,
) -> impl FnOnce(KafkaError) -> Error {
    let brokers = options.kafka_brokers.clone();
    move |source| Error::Kafka { brokers, doing, source }
}
