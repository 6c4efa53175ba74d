//! A broker with the log's topics, written to as the relay does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use chrono::{DateTime, Utc};
use millrace_events::{Frontier, Lsn, Position, PositionRange, Topic, header};
use millrace_local::testing::Kafka;
use millrace_source::{
    Cut, DeadLetters, EpochTarget, Error, LogCopy, Message, Source, SourceEpoch, SourceOptions,
};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use tempfile::TempDir;

const DEADLINE: Duration = Duration::from_secs(60);

pub struct Broker {
    pub kafka: Kafka,
    producer: ThreadedProducer<DefaultProducerContext>,
    pub folder: TempDir,
}

impl Broker {
    pub async fn start() -> anyhow::Result<Self> {
        let kafka = millrace_local::testing::kafka().await?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.brokers());
        let admin: AdminClient<_> = config.create()?;
        let topic = |name, partitions| NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let mut topics: Vec<_> = Topic::ALL.iter().map(|it| topic(it.as_str(), 2)).collect();
        topics.push(topic(Topic::FRONTIER, 1));
        for created in admin.create_topics(&topics, &AdminOptions::new()).await? {
            created.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
        }
        let producer = config.set("enable.idempotence", "true").set("linger.ms", "2").create()?;
        let broker = Self { kafka, producer, folder: TempDir::new()? };
        broker.append_frontier(0, 0)?;
        Ok(broker)
    }

    pub fn store(&self) -> Arc<LocalFileSystem> {
        Arc::new(LocalFileSystem::new_with_prefix(self.folder.path()).expect("a folder"))
    }

    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.store(), Path::from("dead-letters"))
    }

    pub fn copy(&self) -> LogCopy {
        let mut copy = LogCopy::new(self.store(), &Path::default());
        copy.file_events = 500;
        copy
    }

    pub fn options(&self, start: &Cut) -> SourceOptions {
        SourceOptions {
            start: start.clone(),
            target: EpochTarget { events_max: 400, ..EpochTarget::default() },
            gap_wait: Duration::from_secs(60),
            ..SourceOptions::new(self.kafka.brokers(), self.dead_letters(), Arc::new(Utc::now))
        }
    }

    /// Appends these messages as they are, in this order, and waits until the broker has them.
    pub fn append<'a>(&self, log: impl IntoIterator<Item = &'a Message>) -> anyhow::Result<()> {
        self.send_all(log)?;
        Ok(self.producer.flush(DEADLINE)?)
    }

    /// Hands these messages to the producer.
    pub fn send_all<'a>(&self, log: impl IntoIterator<Item = &'a Message>) -> anyhow::Result<()> {
        for message in log {
            let position = message.position.to_string();
            let lsn = message.lsn.to_string();
            let transaction = format!("{}/{}", message.number, message.size);
            let id = message.event_id.to_string();
            let mut headers = OwnedHeaders::new();
            for (key, value) in [
                (header::POSITION, position.as_str()),
                (header::LSN, &lsn),
                (header::TRANSACTION, &transaction),
                (header::EVENT_ID, &id),
                (header::EVENT_TYPE, message.event_type.as_str()),
            ] {
                headers = headers.insert(Header { key, value: Some(value) });
            }
            if let Some(traceparent) = &message.traceparent {
                let value = Some(traceparent.as_bytes());
                headers = headers.insert(Header { key: header::TRACEPARENT, value });
            }
            let value = message.value.as_deref().unwrap_or_default();
            self.send(
                BaseRecord::to(message.topic.as_str())
                    .partition(message.partition)
                    .key(&*message.key)
                    .payload(value)
                    .headers(headers),
            )?;
        }
        Ok(())
    }

    pub fn append_foreign(&self, topic: Topic) -> anyhow::Result<()> {
        self.send(
            BaseRecord::to(topic.as_str()).partition(0).key(&b"k"[..]).payload(&b"\xffhello"[..]),
        )?;
        Ok(self.producer.flush(DEADLINE)?)
    }

    pub fn append_frontier(&self, lsn: u64, position: u64) -> anyhow::Result<()> {
        self.append_life(1, lsn, position, &[])
    }

    /// Tells a frontier of a database that was restored, and what it lacks.
    pub fn append_life(
        &self,
        incarnation: u32,
        lsn: u64,
        position: u64,
        orphaned: &[PositionRange],
    ) -> anyhow::Result<()> {
        let frontier = Frontier {
            lsn: Lsn(lsn),
            position: Position(position),
            at: DateTime::UNIX_EPOCH,
            incarnation,
            orphaned: orphaned.to_vec(),
        };
        let value = serde_json::to_vec(&frontier)?;
        self.send(BaseRecord::to(Topic::FRONTIER).partition(0).key(&b""[..]).payload(&value))?;
        Ok(self.producer.flush(DEADLINE)?)
    }

    fn send(&self, mut record: BaseRecord<'_, [u8], [u8]>) -> anyhow::Result<()> {
        while let Err((error, unsent)) = self.producer.send(record) {
            anyhow::ensure!(
                error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::QueueFull),
                "{error}"
            );
            record = unsent;
            std::thread::yield_now();
        }
        Ok(())
    }
}

/// Epochs until one satisfies `is_last`, within a deadline.
pub async fn epochs_until(
    source: &mut Source,
    is_last: impl Fn(&SourceEpoch) -> bool,
) -> Result<Vec<SourceEpoch>, Error> {
    let mut epochs = Vec::new();
    loop {
        let epoch = tokio::time::timeout(DEADLINE, source.next_epoch()).await;
        let epoch = epoch.expect("an epoch within the deadline")?;
        let done = is_last(&epoch);
        epochs.push(epoch);
        if done {
            return Ok(epochs);
        }
    }
}

pub async fn epochs_up_to(source: &mut Source, position: usize) -> Result<Vec<SourceEpoch>, Error> {
    epochs_until(source, |epoch| epoch.last_position >= Position(position as u64)).await
}

/// All rows of all epochs, table by table.
pub fn contents<'a>(
    epochs: impl IntoIterator<Item = &'a SourceEpoch>,
) -> BTreeMap<String, RecordBatch> {
    let mut tables: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    for (name, rows) in epochs.into_iter().flat_map(|epoch| &epoch.tables) {
        tables.entry(name.to_string()).or_default().push(rows.clone());
    }
    let join = |rows: Vec<RecordBatch>| {
        arrow::compute::concat_batches(&rows[0].schema(), &rows).expect("one schema")
    };
    tables.into_iter().map(|(name, rows)| (name, join(rows))).collect()
}
