//! What the log holds: read back at the start, and whole for a recovery. Blocking: run it on a
//! thread of its own.

use std::collections::BTreeMap;

use millrace_events::{EventId, Frontier, Position, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message, Offset, TopicPartitionList};

use crate::known::{Known, Logged};
use crate::log::message::{self, Place};
use crate::log::topics::TopicInfo;
use crate::log::{ANSWER_TIMEOUT, client, failed};
use crate::{Error, Mark, RelayOptions};

/// The log compared with a mark.
pub(crate) enum Compared {
    /// Each partition holds what it held at the mark; what came after it is known.
    Whole(Known),
    /// A partition ends before the mark.
    Lost { topic: String, partition: i32, position: Position },
}

/// Reads what follows the mark and checks that each partition still has the mark's last message.
pub(crate) fn compare(
    options: &RelayOptions,
    topics: &[TopicInfo],
    mark: &Mark,
) -> Result<Compared, Error> {
    let reader = Reader::new(options)?;
    let mut ranges = Vec::new();
    for (topic, partition) in partitions(topics) {
        let range = reader.range(topic, partition)?;
        match mark.ends.get(topic, partition) {
            Some(end) if range.high <= end.offset => {
                let (topic, position) = (topic.to_owned(), end.position);
                return Ok(Compared::Lost { topic, partition, position });
            }
            Some(end) => ranges.push(Range { low: end.offset, ..range }),
            None => ranges.push(range),
        }
    }
    let mut known = Known::default();
    reader.read(ranges, |message| {
        let (place, event_id) = message::read(message)?;
        let (topic, partition) = (message.topic(), message.partition());
        let offset = message.offset();
        match mark.ends.get(topic, partition) {
            Some(end) if end.offset == offset => {
                if (end.position, end.event_id) == (place.position, event_id) {
                    return Ok(());
                }
                Err(Error::LogForeign {
                    topic: topic.to_owned(),
                    partition,
                    offset,
                    expected: end.position,
                    found: format!("{} (event {event_id})", place.position),
                })
            }
            // A copy of something that is below the mark anyway.
            _ if place.position <= mark.position => Ok(()),
            _ => {
                let topic = topic.to_owned();
                let lsn = place.lsn;
                known.insert(place.position, Logged { event_id, lsn, topic, partition, offset })
            }
        }
    })?;
    Ok(Compared::Whole(known))
}

/// The last position in the log; none if no business topic ever had a message.
pub(crate) fn end(options: &RelayOptions, topics: &[TopicInfo]) -> Result<Option<Position>, Error> {
    if is_empty(options, topics)? {
        return Ok(None);
    }
    // The frontier is told from time to time only; a partition may end with a copy of an old event.
    let mut end = frontier(options)?.map_or(Position::START, |frontier| frontier.position);
    last(options, topics, |found| {
        end = end.max(found.place.position);
        Ok(())
    })?;
    Ok(Some(end))
}

fn is_empty(options: &RelayOptions, topics: &[TopicInfo]) -> Result<bool, Error> {
    let reader = Reader::new(options)?;
    for (topic, partition) in partitions(topics) {
        if reader.range(topic, partition)?.high > 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The newest frontier that was told.
pub(crate) fn frontier(options: &RelayOptions) -> Result<Option<Frontier>, Error> {
    let reader = Reader::new(options)?;
    let range = reader.range(Topic::FRONTIER, 0)?;
    let last = Range { low: range.low.max(range.high - 1), ..range };
    let mut frontier = None;
    reader.read(vec![last], |message| {
        frontier = message.payload().and_then(|value| serde_json::from_slice(value).ok());
        Ok(())
    })?;
    Ok(frontier)
}

/// A message of a scan, without its value.
pub(crate) struct Scanned<'a> {
    pub(crate) place: Place,
    pub(crate) event_id: EventId,
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// Shows each event of the log to `visit`, in order within a partition.
pub(crate) fn scan(
    options: &RelayOptions,
    topics: &[TopicInfo],
    visit: impl FnMut(Scanned<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    scan_from(options, topics, |range| range.low, visit)
}

/// Shows the last event of each partition to `visit`.
pub(crate) fn last(
    options: &RelayOptions,
    topics: &[TopicInfo],
    visit: impl FnMut(Scanned<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    scan_from(options, topics, |range| range.low.max(range.high - 1), visit)
}

fn scan_from(
    options: &RelayOptions,
    topics: &[TopicInfo],
    from: impl Fn(&Range) -> i64,
    mut visit: impl FnMut(Scanned<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let reader = Reader::new(options)?;
    let ranges = partitions(topics)
        .map(|(topic, partition)| {
            let range = reader.range(topic, partition)?;
            Ok(Range { low: from(&range), ..range })
        })
        .collect::<Result<_, Error>>()?;
    reader.read(ranges, |message| {
        let (place, event_id) = message::read(message)?;
        let (topic, partition) = (message.topic(), message.partition());
        visit(Scanned { place, event_id, topic, partition, offset: message.offset() })
    })
}

fn partitions(topics: &[TopicInfo]) -> impl Iterator<Item = (&str, i32)> {
    topics
        .iter()
        .flat_map(|topic| (0..topic.partitions).map(|partition| (topic.name.as_str(), partition)))
}

/// Offsets `low..high` of a partition.
struct Range {
    topic: String,
    partition: i32,
    low: i64,
    high: i64,
}

struct Reader<'a> {
    options: &'a RelayOptions,
    consumer: BaseConsumer,
}

impl<'a> Reader<'a> {
    fn new(options: &'a RelayOptions) -> Result<Self, Error> {
        let consumer = client(options)
            .set("group.id", "millrace-relay")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "50")
            .create()
            .map_err(failed(options, "make a client"))?;
        Ok(Self { options, consumer })
    }

    fn range(&self, topic: &str, partition: i32) -> Result<Range, Error> {
        let (low, high) = self
            .consumer
            .fetch_watermarks(topic, partition, ANSWER_TIMEOUT)
            .map_err(failed(self.options, "ask for the end of a partition"))?;
        Ok(Range { topic: topic.to_owned(), partition, low, high })
    }

    /// Shows each message of the ranges to `visit`.
    fn read(
        &self,
        ranges: Vec<Range>,
        mut visit: impl FnMut(&BorrowedMessage<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let doing = "read the log";
        let mut assignment = TopicPartitionList::new();
        let mut left = BTreeMap::new();
        for range in ranges.into_iter().filter(|range| range.low < range.high) {
            assignment
                .add_partition_offset(&range.topic, range.partition, Offset::Offset(range.low))
                .map_err(failed(self.options, doing))?;
            left.insert((range.topic, range.partition), range.high);
        }
        if left.is_empty() {
            return Ok(());
        }
        self.consumer.assign(&assignment).map_err(failed(self.options, doing))?;
        while !left.is_empty() {
            let message = match self.consumer.poll(ANSWER_TIMEOUT) {
                Some(message) => message.map_err(failed(self.options, doing))?,
                None => {
                    let code = rdkafka::types::RDKafkaErrorCode::OperationTimedOut;
                    let silent = rdkafka::error::KafkaError::MessageConsumption(code);
                    return Err(failed(self.options, doing)(silent));
                }
            };
            let partition = (message.topic().to_owned(), message.partition());
            let Some(&high) = left.get(&partition) else { continue };
            if message.offset() < high {
                visit(&message)?;
            }
            if message.offset() + 1 >= high {
                left.remove(&partition);
            }
        }
        Ok(())
    }
}
