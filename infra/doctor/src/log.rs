//! The log's headers, read once from begin to end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use millrace_events::{Lsn, Position, Topic, header};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use uuid::Uuid;

use crate::{Error, Result};

const ASK: Duration = Duration::from_secs(10);
/// Longest silence before the end of the log.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// An event's place, without its envelope.
pub(crate) struct Entry {
    pub(crate) position: Position,
    pub(crate) lsn: Lsn,
    pub(crate) event_id: Uuid,
    pub(crate) place: String,
}

/// Every event that was in the log when the reading began.
pub(crate) struct Log {
    /// By position; copies of one event are next to each other.
    pub(crate) entries: Vec<Entry>,
    /// Events of one aggregate that stand in the wrong order, as text.
    pub(crate) disordered: Vec<String>,
    /// Messages that are no events of the relay.
    pub(crate) foreign: usize,
}

impl Log {
    pub(crate) async fn read(brokers: &str) -> Result<Self> {
        let brokers = brokers.to_owned();
        tokio::task::spawn_blocking(move || read(&brokers)).await?
    }

    /// The last position there is.
    pub(crate) fn end(&self) -> Position {
        self.entries.last().map(|entry| entry.position).unwrap_or_default()
    }

    /// The last position committed before `lsn`.
    pub(crate) fn position_of(&self, lsn: Lsn) -> Position {
        let before = self.entries.iter().filter(|entry| entry.lsn <= lsn);
        before.map(|entry| entry.position).max().unwrap_or_default()
    }
}

fn read(brokers: &str) -> Result<Log> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        // Required by the client library; nothing is ever committed.
        .set("group.id", "millrace-doctor")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "50")
        .create()?;
    let mut left = HashMap::new();
    let mut assignment = TopicPartitionList::new();
    for topic in Topic::ALL {
        let metadata = consumer.fetch_metadata(Some(topic.as_str()), ASK)?;
        for partition in metadata.topics().iter().flat_map(|topic| topic.partitions()) {
            let (low, high) = consumer.fetch_watermarks(topic.as_str(), partition.id(), ASK)?;
            if low < high {
                left.insert((topic.to_string(), partition.id()), high - 1);
                assignment.add_partition_offset(
                    topic.as_str(),
                    partition.id(),
                    Offset::Offset(low),
                )?;
            }
        }
    }
    consumer.assign(&assignment)?;

    let mut entries = Vec::new();
    let mut disordered = Vec::new();
    let mut foreign = 0;
    let mut newest: HashMap<(String, Vec<u8>), Position> = HashMap::new();
    let mut heard = Instant::now();
    while !left.is_empty() {
        let Some(message) = consumer.poll(Duration::from_millis(200)) else {
            if heard.elapsed() > SILENCE_MAX {
                return Err(Error::LogTimeout(SILENCE_MAX));
            }
            continue;
        };
        let message = message?;
        heard = Instant::now();
        let partition = (message.topic().to_owned(), message.partition());
        if left.get(&partition).is_some_and(|last| message.offset() >= *last) {
            left.remove(&partition);
        }
        // The source keeps what it can't place apart and goes on; so does this.
        let Some(entry) = entry(&message) else {
            foreign += 1;
            continue;
        };
        let aggregate = (message.topic().to_owned(), message.key().unwrap_or_default().to_vec());
        let before = newest.entry(aggregate).or_default();
        // A copy sent again after a crash stands behind newer ones with its old position.
        if entry.position > *before {
            *before = entry.position;
        } else if !entries.iter().rev().any(|known: &Entry| known.event_id == entry.event_id) {
            disordered
                .push(format!("position {} behind {before} at {}", entry.position, entry.place));
        }
        entries.push(entry);
    }
    entries.sort_by_key(|entry| entry.position);
    Ok(Log { entries, disordered, foreign })
}

/// None for a message without the relay's headers.
fn entry(message: &impl Message) -> Option<Entry> {
    let place = format!("{}[{}]@{}", message.topic(), message.partition(), message.offset());
    let headers = message.headers()?;
    let value = |name: &str| {
        let found = headers.iter().find(|header| header.key == name)?;
        std::str::from_utf8(found.value?).ok()
    };
    let position = Position(value(header::POSITION)?.parse().ok()?);
    let lsn = value(header::LSN)?.parse().ok()?;
    let event_id = value(header::EVENT_ID)?.parse().ok()?;
    Some(Entry { position, lsn, event_id, place })
}
