//! What any broker must do to carry our log. Runs on the embedded one, or, with
//! `MILLRACE_KAFKA_BROKERS` set, on that one. To kill that one too, its process id must stand in the
//! file `MILLRACE_KAFKA_PID_FILE` and it must be started again, as `infra/local/kafka/run.sh` does.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::future::try_join_all;
use millrace_local::testing::{self, Kafka};
use nix::sys::signal::Signal;
use rdkafka::{
    ClientConfig, Message as _, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer as _},
    message::{BorrowedMessage, Header, Headers as _, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use uuid::Uuid;

use crate::process::send;

const WAIT: Duration = Duration::from_secs(60);

/// Longer runs for `make test-long`.
fn is_long() -> bool {
    std::env::var_os("MILLRACE_TEST_LONG").is_some()
}

/// The broker's process. A broker that cannot be killed cannot be found good: that is a failure.
fn pid(kafka: &Kafka) -> Result<u32> {
    if let Some(pid) = kafka.pid() {
        return Ok(pid);
    }
    let file = std::env::var_os("MILLRACE_KAFKA_PID_FILE")
        .context("set MILLRACE_KAFKA_PID_FILE, or use infra/local/kafka/run.sh")?;
    Ok(std::fs::read_to_string(file)?.trim().parse()?)
}

fn config(kafka: &Kafka) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka.brokers()).set("message.max.bytes", "4000000");
    config
}

/// A topic as ours are: partitions up front, nothing expires.
async fn topic(kafka: &Kafka, partitions: i32) -> Result<String> {
    let name = format!("conformance.{}", Uuid::new_v4().simple());
    let admin: AdminClient<DefaultClientContext> = config(kafka).create()?;
    let topic = NewTopic::new(&name, partitions, TopicReplication::Fixed(1))
        .set("retention.ms", "-1")
        .set("max.message.bytes", "4000000");
    for result in
        admin.create_topics([&topic], &AdminOptions::new().operation_timeout(Some(WAIT))).await?
    {
        result.map_err(|(name, code)| anyhow::anyhow!("{name}: {code}"))?;
    }
    Ok(name)
}

/// Idempotent, as the relay's; small batches so that there are many.
fn producer(kafka: &Kafka) -> Result<FutureProducer> {
    let mut config = config(kafka);
    config
        .set("enable.idempotence", "true")
        .set("linger.ms", "20")
        .set("batch.num.messages", "100")
        .set("compression.type", "lz4")
        .set("delivery.timeout.ms", "120000")
        .set("reconnect.backoff.max.ms", "500");
    Ok(config.create()?)
}

fn consumer(kafka: &Kafka) -> Result<BaseConsumer> {
    let mut config = config(kafka);
    config
        .set("group.id", "never-joined")
        .set("enable.auto.commit", "false")
        .set("fetch.message.max.bytes", "4000000")
        .set("fetch.wait.max.ms", "10");
    Ok(config.create()?)
}

fn assign(consumer: &BaseConsumer, topic: &str, offset: i64) -> Result<()> {
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_offset(topic, 0, Offset::Offset(offset))?;
    Ok(consumer.assign(&partitions)?)
}

fn next(consumer: &BaseConsumer) -> Result<BorrowedMessage<'_>> {
    let deadline = Instant::now() + WAIT;
    loop {
        match consumer.poll(Duration::from_millis(500)) {
            Some(Ok(message)) => return Ok(message),
            // While the broker restarts.
            Some(Err(error)) if Instant::now() > deadline => bail!(error),
            _ => ensure!(Instant::now() < deadline, "no message in time"),
        }
    }
}

/// Sends `count` numbered messages; the offsets they were acknowledged with.
async fn send_numbers(
    producer: &FutureProducer,
    topic: &str,
    numbers: std::ops::Range<i64>,
) -> Result<Vec<i64>> {
    let mut offsets = Vec::new();
    let numbers: Vec<i64> = numbers.collect();
    for part in numbers.chunks(10_000) {
        let texts: Vec<String> = part.iter().map(|n| format!("message {n}")).collect();
        let sends = texts.iter().map(|text| async move {
            let record = FutureRecord::to(topic).partition(0).key("k").payload(text);
            producer
                .send(record, WAIT)
                .await
                .map(|delivery| delivery.offset)
                .map_err(|(error, _)| error)
        });
        offsets.extend(try_join_all(sends).await?);
    }
    Ok(offsets)
}

fn number(message: &BorrowedMessage<'_>) -> Result<i64> {
    let text = std::str::from_utf8(message.payload().context("payload")?)?;
    Ok(text.strip_prefix("message ").context("a numbered message")?.parse()?)
}

#[tokio::test]
async fn a_fetch_from_every_offset_gives_exactly_that_offset() -> Result<()> {
    const COUNT: i64 = 1000;
    let kafka = testing::kafka().await?;
    let topic = topic(&kafka, 1).await?;
    let offsets = send_numbers(&producer(&kafka)?, &topic, 0..COUNT).await?;
    assert_eq!(offsets, (0..COUNT).collect::<Vec<_>>());
    // A new assignment each time: nothing comes from what the client has fetched before.
    let consumer = consumer(&kafka)?;
    for offset in 0..COUNT {
        assign(&consumer, &topic, offset)?;
        let message = next(&consumer)?;
        assert_eq!((message.offset(), number(&message)?), (offset, offset));
    }
    // And on from the middle of a batch to the end, without a gap.
    assign(&consumer, &topic, 137)?;
    for offset in 137..COUNT {
        assert_eq!(next(&consumer)?.offset(), offset);
    }
    Ok(())
}

#[tokio::test]
async fn headers_keys_and_absent_values_come_back_as_they_were() -> Result<()> {
    let kafka = testing::kafka().await?;
    let topic = topic(&kafka, 1).await?;
    let producer = producer(&kafka)?;
    let headers = OwnedHeaders::new()
        .insert(Header { key: "position", value: Some(&[0u8, 0xff, 7][..]) })
        .insert(Header { key: "empty", value: Some(&[][..]) })
        .insert(Header { key: "absent", value: None::<&[u8]> })
        .insert(Header { key: "position", value: Some(&b"twice"[..]) });
    let record = FutureRecord::<[u8], [u8]>::to(&topic)
        .partition(0)
        .key(&[0, 1])
        .headers(headers)
        .timestamp(1_700_000_000_123);
    producer.send(record, WAIT).await.map_err(|(error, _)| error)?;
    let consumer = consumer(&kafka)?;
    assign(&consumer, &topic, 0)?;
    let message = next(&consumer)?;
    assert_eq!((message.key(), message.payload()), (Some(&[0u8, 1][..]), None));
    assert_eq!(message.timestamp().to_millis(), Some(1_700_000_000_123));
    let got: Vec<_> = message
        .headers()
        .context("headers")?
        .iter()
        .map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec)))
        .collect();
    let expected = [
        ("position", Some(vec![0, 0xff, 7])),
        ("empty", Some(vec![])),
        ("absent", None),
        ("position", Some(b"twice".to_vec())),
    ];
    assert_eq!(got, expected.map(|(key, value)| (key.to_owned(), value)));
    Ok(())
}

#[tokio::test]
async fn messages_of_two_megabytes_pass() -> Result<()> {
    let kafka = testing::kafka().await?;
    let topic = topic(&kafka, 1).await?;
    let producer = producer(&kafka)?;
    // Incompressible, with a fixed seed.
    let mut state = 42u64;
    let big: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(2 * 1024 * 1024)
    .collect();
    for _ in 0..3 {
        producer
            .send(FutureRecord::<[u8], [u8]>::to(&topic).partition(0).payload(&big), WAIT)
            .await
            .map_err(|(error, _)| error)?;
    }
    let consumer = consumer(&kafka)?;
    assign(&consumer, &topic, 0)?;
    for _ in 0..3 {
        ensure!(next(&consumer)?.payload() == Some(&big[..]), "the message differs");
    }
    Ok(())
}

#[tokio::test]
async fn watermarks_tell_the_ends_of_each_partition() -> Result<()> {
    let kafka = testing::kafka().await?;
    let topic = topic(&kafka, 3).await?;
    let consumer = consumer(&kafka)?;
    assert_eq!(consumer.fetch_watermarks(&topic, 2, WAIT)?, (0, 0));
    send_numbers(&producer(&kafka)?, &topic, 0..25).await?;
    assert_eq!(consumer.fetch_watermarks(&topic, 0, WAIT)?, (0, 25));
    assert_eq!(consumer.fetch_watermarks(&topic, 1, WAIT)?, (0, 0));
    assert_eq!(consumer.fetch_metadata(Some(&topic), WAIT)?.topics()[0].partitions().len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_topic_that_expires_nothing_keeps_records_dated_years_ago() -> Result<()> {
    let kafka = testing::kafka().await?;
    let topic = topic(&kafka, 1).await?;
    let record = FutureRecord::<str, str>::to(&topic)
        .partition(0)
        .payload("old")
        .timestamp(1_000_000_000_000);
    producer(&kafka)?.send(record, WAIT).await.map_err(|(error, _)| error)?;
    // The broker sweeps expired records when it starts.
    send(pid(&kafka)?, Signal::SIGKILL)?;
    let consumer = consumer(&kafka)?;
    assign(&consumer, &topic, 0)?;
    assert_eq!(next(&consumer)?.payload(), Some(&b"old"[..]));
    assert_eq!(consumer.fetch_watermarks(&topic, 0, WAIT)?, (0, 1));
    Ok(())
}

#[tokio::test]
async fn killed_while_it_is_written_to_it_has_each_message_once_and_in_order() -> Result<()> {
    const COUNT: i64 = 20_000;
    let kafka = testing::kafka().await?;
    let before = pid(&kafka)?;
    let topic = topic(&kafka, 1).await?;
    let producer = producer(&kafka)?;
    send_numbers(&producer, &topic, 0..100).await?;
    let writing = tokio::spawn({
        let (producer, topic) = (producer.clone(), topic.clone());
        async move { send_numbers(&producer, &topic, 100..COUNT).await }
    });
    // In the middle of the writing, whenever that is.
    let watcher = consumer(&kafka)?;
    let deadline = Instant::now() + WAIT;
    while watcher.fetch_watermarks(&topic, 0, WAIT)?.1 < 2000 {
        ensure!(Instant::now() < deadline, "nothing is written");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    send(before, Signal::SIGKILL)?;
    writing.await??;
    assert_ne!(pid(&kafka)?, before, "the broker was killed while it was written to");

    let consumer = consumer(&kafka)?;
    assign(&consumer, &topic, 0)?;
    for expected in 0..COUNT {
        let message = next(&consumer)?;
        assert_eq!((message.offset(), number(&message)?), (expected, expected));
    }
    assert_eq!(consumer.fetch_watermarks(&topic, 0, WAIT)?, (0, COUNT));
    Ok(())
}

/// A million messages with `MILLRACE_TEST_LONG`, else a tenth: every one is there after `kill -9`,
/// and the broker answers within seconds.
#[tokio::test]
async fn a_full_log_restarts_quickly_and_whole() -> Result<()> {
    let count = if is_long() { 1_000_000 } else { 100_000 };
    let kafka = testing::kafka().await?;
    let topic = topic(&kafka, 1).await?;
    let mut config = config(&kafka);
    config.set("enable.idempotence", "true").set("linger.ms", "20").set("compression.type", "lz4");
    let started = Instant::now();
    send_numbers(&config.create()?, &topic, 0..count).await?;
    let written = started.elapsed();

    let started = Instant::now();
    send(pid(&kafka)?, Signal::SIGKILL)?;
    let consumer = consumer(&kafka)?;
    assign(&consumer, &topic, count - 1)?;
    assert_eq!(number(&next(&consumer)?)?, count - 1);
    let restarted = started.elapsed();

    let started = Instant::now();
    assign(&consumer, &topic, 0)?;
    for expected in 0..count {
        let message = next(&consumer)?;
        ensure!(
            (message.offset(), number(&message)?) == (expected, expected),
            "at {expected}: {}",
            message.offset()
        );
    }
    let read = started.elapsed();
    eprintln!(
        "{count} messages: written in {written:?}, back after kill -9 in {restarted:?}, read in {read:?}"
    );
    assert!(restarted < Duration::from_secs(45), "restart took {restarted:?}");
    Ok(())
}
