//! One message after the other from one partition.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};

use super::{Log, LogPartition};
use crate::message::Headers;
use crate::{Error, Foreign, Message};

/// What a partition gave.
pub(crate) enum Read {
    Event(Message),
    /// Something without a place in the order of events.
    Foreign {
        offset: i64,
        foreign: Foreign,
        key: Option<Bytes>,
        value: Option<Bytes>,
    },
}

impl Log {
    /// The next message of a partition that has already arrived.
    ///
    /// # Errors
    /// Only what librdkafka can't mend by itself.
    pub(crate) fn read(&self, index: usize) -> Result<Option<Read>, Error> {
        let partition = &self.partitions[index];
        match partition.queue.poll(Duration::ZERO) {
            None => Ok(None),
            Some(Ok(message)) => {
                self.connected.store(true, Ordering::Relaxed);
                Ok(Some(partition.event(&message)))
            }
            Some(Err(error @ KafkaError::MessageConsumptionFatal(_))) => {
                Err(Error::Broker { brokers: self.brokers.clone(), reason: error.to_string() })
            }
            Some(Err(error)) => {
                let (topic, partition) = self.place(index);
                tracing::warn!(%error, %topic, partition, "reading the log");
                Ok(None)
            }
        }
    }
}

impl LogPartition {
    fn event(&self, message: &BorrowedMessage<'_>) -> Read {
        let mut headers = Headers::default();
        for header in message.headers().iter().flat_map(|headers| headers.iter()) {
            headers.note(header.key, header.value);
        }
        let value = message.payload().filter(|value| !value.is_empty());
        let value = value.map(Bytes::copy_from_slice);
        let key = message.key().map(Bytes::copy_from_slice);
        match headers.read() {
            Ok(heading) => Read::Event(Message {
                topic: self.topic,
                partition: self.partition,
                offset: message.offset(),
                position: heading.position,
                lsn: heading.lsn,
                number: heading.number,
                size: heading.size,
                event_id: heading.event_id,
                event_type: heading.event_type,
                traceparent: heading.traceparent,
                key: key.unwrap_or_default(),
                value,
            }),
            Err(foreign) => Read::Foreign { offset: message.offset(), foreign, key, value },
        }
    }
}
