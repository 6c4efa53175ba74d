//! The whole source on a real broker.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use millrace_events::{Lsn, Position, Topic};
use millrace_source::{Cut, Cutter, Error, Message, Source, SourceOptions};
use uuid::Uuid;

use crate::broker::{Broker, contents, epochs_until, epochs_up_to};
use crate::given::{self, Given};

pub fn given_log(seed: u64, transactions: usize) -> Vec<Message> {
    let mut given = Given::seed(seed);
    given::log((0..transactions).map(|_| given.transaction()).collect::<Vec<_>>())
}

/// What the log's rows are, by the parts that need no broker.
pub fn rows_of(log: &[Message]) -> BTreeMap<String, arrow::array::RecordBatch> {
    let cut = Cutter::new(Cut::default()).cut(log, Default::default()).expect("a log");
    contents([&cut.epoch])
}

#[tokio::test]
async fn every_event_once_in_order_and_again_after_a_restart() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let log = given_log(31, 700);
    broker.append(&log)?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    let epochs = epochs_up_to(&mut source, log.len()).await?;
    assert_eq!(contents(&epochs), rows_of(&log));
    assert!(epochs.len() > 2, "{} epochs", epochs.len());

    // From each of three cuts on, the same rows, now with the last 10,000 (all there are) copied.
    broker.append(log.iter().rev())?;
    broker.append(&log)?;
    for stop in [0, epochs.len() / 2, epochs.len() - 2] {
        let mut again = Source::open(broker.options(&epochs[stop].cut)).await?;
        let rest = epochs_up_to(&mut again, log.len()).await?;
        assert_eq!(rest[0].number, epochs[stop].number + 1);
        assert_eq!(contents(epochs[..=stop].iter().chain(&rest)), rows_of(&log));
        again.close().await;
    }

    // A frontier moves without events; what comes after the copies is not lost.
    broker.append_frontier(5_000_000, log.len() as u64)?;
    let frontier = Some((Lsn(5_000_000), Position(log.len() as u64)));
    let moved = epochs_until(&mut source, |epoch| epoch.frontier == frontier).await?;
    assert!(moved.last().expect("an epoch").is_empty());
    // Every copy is seen and dropped.
    let mut status = source.status();
    let dropped = status.wait_for(|status| status.copies_dropped == 2 * log.len() as u64);
    tokio::time::timeout(Duration::from_secs(60), dropped).await??;
    source.close().await;
    Ok(())
}

#[tokio::test]
async fn a_copy_that_disagrees_halts_and_names_the_position() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let log = given_log(32, 50);
    broker.append(&log)?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    let epochs = epochs_up_to(&mut source, log.len()).await?;
    let impostor = Message { event_id: Uuid::from_u128(1), ..log[20].clone() };
    broker.append([&impostor])?;
    let error = epochs_until(&mut source, |_| false).await.expect_err("a halt");
    assert!(matches!(error, Error::CopyDiffers { position: Position(21), .. }), "{error}");
    assert!(!error.is_retryable());
    // Opened again, it remembers what the log held before the cut.
    let cut = &epochs.last().expect("an epoch").cut;
    let mut again = Source::open(broker.options(cut)).await?;
    let error = epochs_until(&mut again, |_| false).await.expect_err("a halt");
    assert!(matches!(error, Error::CopyDiffers { position: Position(21), .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_gap_is_waited_for_then_reported_then_mended() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let log = given_log(33, 60);
    broker.append(log.iter().filter(|message| message.position != Position(50)))?;
    let gap_wait = Duration::from_secs(8);
    let options = SourceOptions { gap_wait, ..broker.options(&Cut::default()) };
    let mut source = Source::open(options).await?;
    let mut cut = Cut::default();
    let opened = Instant::now();
    let error = loop {
        match source.next_epoch().await {
            Ok(epoch) => cut = epoch.cut,
            Err(error) => break error,
        }
    };
    assert!(opened.elapsed() >= gap_wait);
    let Error::Gap { missing, seen, .. } = error else { panic!("{error}") };
    assert_eq!((missing, seen), (Position(50), Position(log.len() as u64)));
    assert!(cut.position < Position(50));
    broker.append([&log[49]])?;
    let mut again = Source::open(broker.options(&cut)).await?;
    let rest = epochs_up_to(&mut again, log.len()).await?;
    assert_eq!(rest[0].first_position, cut.position.next());
    Ok(())
}

/// Every file below a folder, with its bytes.
fn kept_in(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut kept = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            kept.append(&mut kept_in(&path));
        } else {
            let bytes = std::fs::read(&path).expect("bytes");
            kept.insert(path, bytes);
        }
    }
    kept
}

#[tokio::test]
async fn looking_back_reads_copy_and_log_and_writes_nothing() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let mut log = given_log(38, 400);
    let poisoned = log.len() - 1;
    log[poisoned].value = None;
    let begins = |message: &Message| message.number == 1;
    let half = log.len() / 2;
    let middle = half + log[half..].iter().position(begins).expect("a transaction begins");
    let (older, newer) = log.split_at(middle);
    broker.append(older)?;
    let options = || SourceOptions { copy: Some(broker.copy()), ..broker.options(&Cut::default()) };
    let mut source = Source::open(options()).await?;
    epochs_up_to(&mut source, older.len()).await?;
    source.flush_copy().await?;
    source.close().await;
    broker.append(newer)?;
    let before = kept_in(broker.folder.path());
    assert!(!before.is_empty(), "there is a copy to read");

    let mut back = Source::look_back(options()).await?;
    let epochs = epochs_up_to(&mut back, log.len()).await?;
    assert_eq!(contents(&epochs), rows_of(&log));
    assert!(epochs.last().is_some_and(|epoch| epoch.cut.dead_lettered > 0));
    back.close().await;
    assert_eq!(kept_in(broker.folder.path()), before);
    Ok(())
}

#[tokio::test]
async fn poison_goes_to_the_dead_letters_and_can_be_replayed() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let mut given = Given::seed(34);
    let sale = |given: &mut Given| vec![given.stock(2), given.journal(2), given.invoice(2)];
    let mut log = given::log((0..20).map(|_| sale(&mut given)).collect::<Vec<_>>());
    let clean = log.clone();
    log[10].value = Some(b"\xff{"[..].into());
    log[30].value = None;
    broker.append(&log)?;
    broker.append_foreign(Topic::Billing)?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    let epochs = epochs_up_to(&mut source, log.len()).await?;
    let cut = &epochs.last().expect("an epoch").cut;
    assert_eq!((cut.applied, cut.dead_lettered), (54, 6));
    let letters = broker.dead_letters();
    let listed = letters.list(Position::START, 100).await?;
    let ids: Vec<u64> = listed.iter().map(|letter| letter.id.0).collect();
    assert_eq!(ids, [10, 31]);
    let poisoned = listed[0].events[1].value.as_ref().and_then(|value| value.bytes());
    assert_eq!(poisoned.as_deref(), Some(&b"\xff{"[..]));
    assert_eq!(listed[1].events[0].value, None);
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut foreign = letters.foreign(10).await?;
    while foreign.is_empty() {
        assert!(Instant::now() < deadline, "the foreign message was not kept");
        tokio::time::sleep(Duration::from_millis(20)).await;
        foreign = letters.foreign(10).await?;
    }
    assert_eq!((foreign.len(), foreign[0].topic.as_str()), (1, Topic::Billing.as_str()));
    assert!(foreign[0].reason.contains("header"), "{foreign:?}");
    let value = foreign[0].value.as_ref().and_then(|value| value.bytes());
    assert_eq!(value.as_deref(), Some(&b"\xffhello"[..]));

    // Reading it all again keeps the same letters.
    let mut again = Source::open(broker.options(&Cut::default())).await?;
    epochs_up_to(&mut again, log.len()).await?;
    assert_eq!(letters.list(Position::START, 100).await?, listed);

    // Replayed, mended, at new positions: as if it had been right the first time.
    let mut appended = Vec::new();
    let replayed = letters
        .replay(&[Position(10), Position(31)], |letter| {
            for event in &letter.events {
                let mut message = clean[event.position.0 as usize - 1].clone();
                assert_eq!(message.event_id, event.event_id);
                message.position = Position((log.len() + appended.len()) as u64 + 1);
                appended.push(message);
            }
            std::future::ready(Ok::<_, String>(()))
        })
        .await?;
    assert_eq!(replayed, 2);
    broker.append(&appended)?;
    let rest = epochs_up_to(&mut source, log.len() + 6).await?;
    let rows = |epochs: &[millrace_source::SourceEpoch]| {
        epochs.iter().map(|epoch| epoch.events()).sum::<usize>()
    };
    assert_eq!(rows(&rest), 6);
    // A program that can decode what was dead does not apply it beside its replay.
    let mended = Broker::start().await?;
    let mut whole = clean.clone();
    whole.extend(appended.clone());
    mended.append(&whole)?;
    let options =
        SourceOptions { dead_letters: letters.clone(), ..mended.options(&Cut::default()) };
    let mut rebuilt = Source::open(options).await?;
    let from_the_start = epochs_up_to(&mut rebuilt, whole.len()).await?;
    assert_eq!(rows(&from_the_start), rows(&epochs) + 6);
    let cut = &from_the_start.last().expect("an epoch").cut;
    assert_eq!((cut.applied, cut.dead_lettered), (60, 6));
    assert_eq!(letters.list(Position::START, 100).await?.len(), listed.len());

    // A letter is not replayed twice; one that does not exist is said so before anything happens.
    let nothing = letters.replay(&[Position(10)], |_| async { Err("appended twice") }).await?;
    assert_eq!(nothing, 0);
    let unknown = letters.replay(&[Position(11)], |_| async { Err("appended") }).await;
    assert!(matches!(unknown, Err(Error::NoDeadLetter { id: Position(11) })));
    Ok(())
}

#[tokio::test]
async fn a_hook_that_fails_leaves_the_letter_to_be_replayed() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let mut log = given_log(35, 5);
    log[0].value = None;
    broker.append(&log)?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    epochs_up_to(&mut source, log.len()).await?;
    let letters = broker.dead_letters();
    let refused = letters.replay(&[Position(1)], |_| async { Err("the outbox is away") }).await;
    assert!(matches!(refused, Err(Error::Replay { id: Position(1), .. })));
    let taken = letters.replay(&[Position(1)], |_| async { Ok::<_, String>(()) }).await?;
    assert_eq!(taken, 1);
    assert!(letters.list(Position::START, 1).await?[0].is_replayed);
    Ok(())
}

#[tokio::test]
async fn the_second_copy_holds_the_log_and_replays_it() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let mut log = given_log(36, 700);
    log[99].value = Some(b"[]"[..].into());
    let (early, late) = log.split_at(1_000);
    broker.append(early)?;
    let with_copy = |start: &Cut| SourceOptions {
        copy: Some(broker.copy()),
        remembered_events: 16,
        ..broker.options(start)
    };
    let mut source = Source::open(with_copy(&Cut::default())).await?;
    // A transaction may continue in the part that is still to come.
    let whole =
        early.iter().rfind(|message| message.number == message.size).expect("an end").position;
    let epochs = epochs_up_to(&mut source, whole.0 as usize).await?;
    assert_eq!(source.flush_copy().await?, Some(whole));
    let cut = epochs.last().expect("an epoch").cut.clone();
    source.close().await;

    // Without the copy the rest is passed: the copy has a hole, which it fills from the log.
    broker.append(late)?;
    let mut without = Source::open(broker.options(&cut)).await?;
    let middle = epochs_up_to(&mut without, whole.0 as usize + 200).await?;
    without.close().await;
    let mut source = Source::open(with_copy(&middle.last().expect("an epoch").cut)).await?;
    epochs_up_to(&mut source, log.len()).await?;
    let deadline = Instant::now() + Duration::from_secs(30);
    while source.flush_copy().await? != Some(Position(log.len() as u64)) {
        assert!(Instant::now() < deadline, "the copy did not catch up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(broker.copy().end().await?, Position(log.len() as u64));

    // A copy of an old event is checked against it; an impostor is found out.
    let mut status = source.status();
    let before = status.borrow().copies_dropped;
    broker.append([&log[3]])?;
    let dropped = status.wait_for(|status| status.copies_dropped > before);
    tokio::time::timeout(Duration::from_secs(60), dropped).await??;
    broker.append([&Message { event_id: Uuid::from_u128(1), ..log[3].clone() }])?;
    let error = epochs_until(&mut source, |_| false).await.expect_err("a halt");
    assert!(matches!(error, Error::CopyDiffers { position: Position(4), .. }), "{error}");
    source.close().await;
    let event = |message: &Message| (message.position, message.event_id, message.value.clone());
    let copied = broker.copy().messages().await?;
    assert!(copied.iter().map(event).eq(log.iter().map(event)), "{} are copied", copied.len());
    Ok(())
}

#[tokio::test]
async fn a_replay_starts_in_the_copy_and_goes_on_in_the_log() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let log = given_log(37, 400);
    let half = log[..500]
        .iter()
        .rfind(|message| message.number == message.size)
        .expect("an end")
        .position
        .0 as usize;
    broker.append(&log[..half])?;
    let with_copy =
        |start: &Cut| SourceOptions { copy: Some(broker.copy()), ..broker.options(start) };
    let mut source = Source::open(with_copy(&Cut::default())).await?;
    epochs_up_to(&mut source, half).await?;
    source.close().await;
    assert_eq!(broker.copy().end().await?, Position(half as u64));
    broker.append(&log[half..])?;
    let mut replay = Source::open_from_copy(with_copy(&Cut::default())).await?;
    let epochs = epochs_up_to(&mut replay, log.len()).await?;
    assert_eq!(contents(&epochs), rows_of(&log));
    // And its last cut is one to go on from.
    let cut = &epochs.last().expect("an epoch").cut;
    let more = given_log(38, 3);
    let more: Vec<Message> = more
        .into_iter()
        .map(|message| Message {
            position: Position(message.position.0 + log.len() as u64),
            ..message
        })
        .collect();
    broker.append(&more)?;
    let mut again = Source::open(broker.options(cut)).await?;
    let rest = epochs_up_to(&mut again, log.len() + more.len()).await?;
    assert_eq!(rest[0].first_position, Position(log.len() as u64 + 1));

    // Opened with the copy, the source knows from there what its copies have to be.
    let cut = &rest.last().expect("an epoch").cut;
    let mut again = Source::open(with_copy(cut)).await?;
    let mut status = again.status();
    broker.append([&log[3]])?;
    let dropped = status.wait_for(|status| status.copies_dropped == 1);
    tokio::time::timeout(Duration::from_secs(60), dropped).await??;
    broker.append([&Message { event_id: Uuid::from_u128(1), ..log[3].clone() }])?;
    let error = epochs_until(&mut again, |_| false).await.expect_err("a halt");
    assert!(matches!(error, Error::CopyDiffers { position: Position(4), .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_broker_that_dies_and_comes_back_loses_nothing() -> anyhow::Result<()> {
    let broker = Broker::start().await?;
    let log = given_log(39, 200);
    let (early, late) = log.split_at(log.len() / 2);
    broker.append(early)?;
    let mut source = Source::open(broker.options(&Cut::default())).await?;
    let whole =
        early.iter().rfind(|message| message.number == message.size).expect("an end").position;
    let mut epochs = epochs_up_to(&mut source, whole.0 as usize).await?;
    if let Some(pid) = broker.kafka.pid() {
        let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status()?;
        anyhow::ensure!(killed.success());
        let deadline = Instant::now() + Duration::from_secs(30);
        while broker.kafka.restarts() == 0 {
            assert!(Instant::now() < deadline, "the broker was not started again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    broker.append(late)?;
    epochs.extend(epochs_up_to(&mut source, log.len()).await?);
    assert_eq!(contents(&epochs), rows_of(&log));
    Ok(())
}

#[tokio::test]
async fn topics_that_are_missing_are_named() -> anyhow::Result<()> {
    let kafka = millrace_local::testing::kafka().await?;
    let folder = tempfile::tempdir()?;
    let store =
        std::sync::Arc::new(object_store::local::LocalFileSystem::new_with_prefix(folder.path())?);
    let letters =
        millrace_source::DeadLetters::new(store, object_store::path::Path::from("dead-letters"));
    let options = SourceOptions {
        open_wait: Duration::from_millis(500),
        ..SourceOptions::new(kafka.brokers(), letters, std::sync::Arc::new(chrono::Utc::now))
    };
    let error = Source::open(options).await.expect_err("no topics");
    assert!(
        matches!(&error, Error::NoTopic { topic, .. } if topic == "products.events.v1"),
        "{error}"
    );
    Ok(())
}
