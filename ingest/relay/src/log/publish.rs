//! The idempotent producer, and what it reports back.

use std::time::Duration;

use millrace_events::{EventId, Frontier, Position, Topic};
use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, Message};
use tokio::sync::mpsc;
use tracing::Span;

use crate::flight::Landed;
use crate::log::message::{self, Place};
use crate::log::{client, failed};
use crate::pgoutput::OutboxRow;
use crate::relay::blocking;
use crate::{End, Error, RelayOptions, trace};

/// How often to try again to hand over a message while librdkafka's queue is full.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(1);

/// What became of an event.
#[derive(Debug)]
pub(crate) enum Report {
    /// It is in the log.
    Landed(Landed),
    /// The broker will never take it; a tombstone has to hold its position.
    Refused { position: Position, event_id: EventId, message: OwnedMessage, code: RDKafkaErrorCode },
    /// The producer can't go on.
    Failed(KafkaError),
}

/// A message's companion on its way through librdkafka.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// None for a frontier message: a later one makes up for a lost one.
    event: Option<(Position, EventId)>,
    /// Ends with the acknowledgement.
    _span: Option<Span>,
}

impl Ticket {
    fn event(position: Position, event_id: EventId, span: Option<Span>) -> Box<Self> {
        Box::new(Self { event: Some((position, event_id)), _span: span })
    }
}

#[derive(Debug)]
struct Reporter {
    /// Bounded by what is in flight, which the session limits.
    reports: mpsc::UnboundedSender<Report>,
}

impl ClientContext for Reporter {
    fn error(&self, error: KafkaError, reason: &str) {
        // Each attempt to reconnect reports; that nothing answers any more is worth a line.
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => {
                tracing::warn!(reason, "Kafka is unreachable")
            }
            _ => tracing::debug!(%error, reason, "Kafka"),
        }
    }
}

impl ProducerContext for Reporter {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Self::DeliveryOpaque) {
        let Some((position, event_id)) = ticket.event else { return };
        let report = match result {
            Ok(message) => Report::Landed(Landed {
                topic: message.topic().to_owned(),
                partition: message.partition(),
                end: End { offset: message.offset(), position, event_id },
            }),
            Err((error, message)) => match error.rdkafka_error_code() {
                Some(code) if is_refusal(code) => {
                    let message = message.detach();
                    Report::Refused { position, event_id, message, code }
                }
                _ => Report::Failed(error.clone()),
            },
        };
        // Nobody listens any more once the session has ended.
        let _ = self.reports.send(report);
    }
}

/// Errors that the same message will always meet.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    matches!(
        code,
        RDKafkaErrorCode::MessageSizeTooLarge
            | RDKafkaErrorCode::InvalidMessageSize
            | RDKafkaErrorCode::InvalidRecord
            | RDKafkaErrorCode::MessageBatchTooLarge
    )
}

/// Sends events in position order; per partition librdkafka keeps that order.
pub(crate) struct Publisher {
    producer: ThreadedProducer<Reporter>,
    options: RelayOptions,
    pub(crate) reports: mpsc::UnboundedReceiver<Report>,
}

impl Publisher {
    pub(crate) fn new(options: &RelayOptions) -> Result<Self, Error> {
        let (sender, reports) = mpsc::unbounded_channel();
        let producer = config(options)
            .create_with_context(Reporter { reports: sender })
            .map_err(failed(options, "make the producer"))?;
        Ok(Self { producer, options: options.clone(), reports })
    }

    /// Hands an event over. Too large a one leaves a tombstone instead.
    pub(crate) async fn event(&self, row: &OutboxRow, place: Place) -> Result<(), Error> {
        let span = trace::publish(row, place.position.0);
        let traceparent = trace::outgoing(row, span.as_ref());
        let headers =
            message::headers(place, row.event_id, &row.event_type, traceparent.as_deref());
        let ticket = Ticket::event(place.position, row.event_id, span);
        let known_topic = self.options.topics.contains(&row.topic);
        let topic = match self.options.topics.first() {
            Some(first) if !known_topic => first,
            _ => &row.topic,
        };
        let mut outgoing = Outgoing {
            topic,
            key: row.aggregate_id.as_bytes(),
            value: known_topic.then_some(&row.envelope[..]),
            headers,
            ticket,
        };
        if !known_topic {
            tracing::error!(
                topic = row.topic, event_id = %row.event_id, position = %place.position,
                "no such topic: a tombstone holds the event's position"
            );
        }
        loop {
            let Err(unsent) = self.send(outgoing) else { return Ok(()) };
            let (error, back) = *unsent;
            match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => {
                    tokio::time::sleep(FULL_QUEUE_PAUSE).await;
                    outgoing = back;
                }
                Some(code) if is_refusal(code) && back.value.is_some() => {
                    tracing::error!(
                        event_id = %row.event_id, position = %place.position, %code,
                        bytes = row.envelope.len(),
                        "refused: a tombstone holds the event's position"
                    );
                    outgoing = Outgoing { value: None, ..back };
                }
                _ => return Err(self.failure(error)),
            }
        }
    }

    /// Puts a tombstone where the broker refused an event.
    pub(crate) async fn tombstone(
        &self,
        position: Position,
        event_id: EventId,
        mut refused: OwnedMessage,
    ) -> Result<(), Error> {
        let headers = refused.detach_headers().unwrap_or_default();
        let ticket = Ticket::event(position, event_id, None);
        let key = refused.key().unwrap_or_default();
        self.retry(Outgoing { topic: refused.topic(), key, value: None, headers, ticket }).await
    }

    /// Puts a tombstone where an event is missing that nobody knows any more.
    pub(crate) async fn fill(&self, place: Place) -> Result<(), Error> {
        let event_id = EventId(uuid::Uuid::nil());
        let headers = message::headers(place, event_id, "event.lost", None);
        let ticket = Ticket::event(place.position, event_id, None);
        let topic = self.options.topics.first().map(String::as_str).unwrap_or_default();
        self.retry(Outgoing { topic, key: &[], value: None, headers, ticket }).await
    }

    /// Tells how far the log is complete.
    pub(crate) fn frontier(&self, frontier: &Frontier) -> Result<(), Error> {
        let value = serde_json::to_vec(frontier)
            .map_err(|error| Error::Task { detail: format!("the frontier as JSON: {error}") })?;
        let record = BaseRecord::with_opaque_to(
            Topic::FRONTIER,
            Box::new(Ticket { event: None, _span: None }),
        )
        .partition(0)
        .key(&[] as &[u8])
        .payload(value.as_slice());
        match self.producer.send(record) {
            Err((error, _)) if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) => {
                Err(failed(&self.options, "tell the frontier")(error))
            }
            _ => Ok(()),
        }
    }

    /// Waits until Kafka has everything that was handed over: what it has not is gone with the
    /// producer.
    pub(crate) async fn flush(&self, within: Duration) -> Result<(), Error> {
        let (producer, options) = (self.producer.clone(), self.options.clone());
        blocking(move || producer.flush(within).map_err(failed(&options, "send the last messages")))
            .await
    }

    /// Why the producer can't be used any more, if so.
    pub(crate) fn fatal(&self) -> Option<Error> {
        let (code, reason) = self.producer.client().fatal_error()?;
        tracing::warn!(%code, reason, "the producer has to be replaced");
        Some(failed(&self.options, "go on with this producer")(KafkaError::MessageProduction(code)))
    }

    pub(crate) fn failure(&self, error: KafkaError) -> Error {
        failed(&self.options, "send an event")(error)
    }

    /// Sends, and waits while the queue is full.
    async fn retry(&self, mut outgoing: Outgoing<'_>) -> Result<(), Error> {
        loop {
            let Err(unsent) = self.send(outgoing) else { return Ok(()) };
            let (error, back) = *unsent;
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(self.failure(error));
            }
            tokio::time::sleep(FULL_QUEUE_PAUSE).await;
            outgoing = back;
        }
    }

    /// Gives back what librdkafka did not take, and why.
    fn send<'a>(&self, outgoing: Outgoing<'a>) -> Result<(), Box<(KafkaError, Outgoing<'a>)>> {
        let Outgoing { topic, key, value, headers, ticket } = outgoing;
        let record = BaseRecord::with_opaque_to(topic, ticket).key(key).headers(headers);
        let record = match value {
            Some(value) => record.payload(value),
            None => record,
        };
        self.producer.send(record).map_err(|(error, back)| {
            let headers = back.headers.unwrap_or_default();
            Box::new((error, Outgoing { topic, key, value, headers, ticket: back.delivery_opaque }))
        })
    }
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").finish_non_exhaustive()
    }
}

struct Outgoing<'a> {
    topic: &'a str,
    key: &'a [u8],
    value: Option<&'a [u8]>,
    headers: OwnedHeaders,
    ticket: Box<Ticket>,
}

fn config(options: &RelayOptions) -> ClientConfig {
    let mut config = client(options);
    let linger_ms = options.linger.as_secs_f64() * 1000.0;
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.codec", "lz4")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", format!("{linger_ms}"))
        .set("message.max.bytes", options.message_bytes_max.to_string())
        // No time limit: an outage is waited for, and what is in flight is bounded by the session.
        .set("message.timeout.ms", "0")
        .set("request.timeout.ms", "10000")
        .set("retry.backoff.ms", "50")
        .set("queue.buffering.max.messages", "100000")
        .set("queue.buffering.max.kbytes", "524288");
    config
}
