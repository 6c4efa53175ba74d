//! Order, copies, gaps and bounds, without a broker.

use std::collections::BTreeMap;

use millrace_events::{Position, Topic};
use millrace_source::{
    Assembler, BufferBounds, Cut, Cutter, EpochTarget, Error, Message, Offer, SourceEpoch,
};
use proptest::prelude::*;
use uuid::Uuid;

use crate::broker::contents;
use crate::given::{self, Given};

const WIDE: BufferBounds = BufferBounds { positions_max: 100_000, bytes_max: 1 << 30 };
const EVERYTHING: EpochTarget = EpochTarget {
    interval: std::time::Duration::ZERO,
    events_max: usize::MAX,
    bytes_max: usize::MAX,
};

fn given_log(seed: u64, transactions: usize) -> Vec<Message> {
    let mut given = Given::seed(seed);
    given::log((0..transactions).map(|_| given.transaction()).collect::<Vec<_>>())
}

type Partitions = BTreeMap<(Topic, i32), Vec<Message>>;

fn by_partition(log: &[Message]) -> Partitions {
    let mut partitions = Partitions::new();
    for message in log {
        partitions.entry((message.topic, message.partition)).or_default().push(message.clone());
    }
    partitions
}

/// Reads all partitions in turns of random length, as far as the assembler wants, cutting epochs of
/// at least `events` events now and then.
fn read_all(
    partitions: &Partitions,
    start: &Cut,
    bounds: BufferBounds,
    events: usize,
    given: &mut Given,
) -> Result<Vec<SourceEpoch>, Error> {
    let mut assembler = Assembler::new(start, bounds, 65_536);
    let mut cutter = Cutter::new(start.clone());
    let target = EpochTarget { events_max: events, ..EVERYTHING };
    let mut at: BTreeMap<(Topic, i32), usize> = BTreeMap::new();
    for ((topic, partition), messages) in partitions {
        let offset =
            start.offsets.get(topic.as_str()).and_then(|offsets| offsets.get(*partition as usize));
        let before = |message: &Message| message.offset < *offset.unwrap_or(&0);
        at.insert(
            (*topic, *partition),
            messages.iter().take_while(|message| before(message)).count(),
        );
    }
    let mut epochs = Vec::new();
    loop {
        let mut moved = false;
        for ((topic, partition), messages) in partitions {
            let at = at.get_mut(&(*topic, *partition)).expect("a known partition");
            for _ in 0..=given.below(20) {
                let Some(message) = messages.get(*at) else { break };
                if !assembler.wants(*topic, *partition) {
                    break;
                }
                assembler.offer(message.clone())?;
                *at += 1;
                moved = true;
            }
        }
        assert!(assembler.buffered_events() <= bounds.positions_max + partitions.len());
        if assembler.ready().events > 0 && given.below(3) == 0 || !moved {
            let messages = assembler.take(&target)?;
            if messages.is_empty() {
                return Ok(epochs);
            }
            epochs.push(cutter.cut(&messages, assembler.offsets())?.epoch);
        }
    }
}

fn last(epochs: &[SourceEpoch]) -> &SourceEpoch {
    epochs.last().expect("an epoch")
}

#[test]
fn copies_in_any_order_change_nothing() {
    let log = given_log(11, 5_000);
    assert!(log.len() > 10_000);
    let plain = by_partition(&log);
    let mut given = Given::seed(12);
    let expected = read_all(&plain, &Cut::default(), WIDE, 500, &mut given).expect("a clean log");
    assert_eq!(last(&expected).last_position.0, log.len() as u64);

    // The last 10,000 again: once as they were, once shuffled, some twice, in other partitions too.
    let mut noisy = plain.clone();
    let tail = &log[log.len() - 10_000..];
    let mut copies: Vec<Message> = tail.to_vec();
    for index in 0..tail.len() {
        let mut copy = tail[given.below(tail.len() as u32) as usize].clone();
        if index % 3 == 0 {
            copy.partition = 1 - copy.partition;
        }
        copies.push(copy);
    }
    for mut copy in copies {
        let partition = noisy.entry((copy.topic, copy.partition)).or_default();
        copy.offset = partition.len() as i64;
        partition.push(copy);
    }
    let found = read_all(&noisy, &Cut::default(), WIDE, 500, &mut given).expect("honest copies");
    assert_eq!(contents(&found), contents(&expected));
    assert_eq!(last(&found).last_position, last(&expected).last_position);
}

#[test]
fn copies_that_disagree_halt_wherever_they_meet() {
    let log = given_log(13, 50);
    let impostor =
        |position: usize| Message { event_id: Uuid::from_u128(42), ..log[position - 1].clone() };

    let mut waiting = Assembler::new(&Cut::default(), WIDE, 100);
    waiting.offer(log[9].clone()).expect("an event ahead");
    let error = waiting.offer(impostor(10)).expect_err("a different event while it waits");
    assert!(matches!(error, Error::CopyDiffers { position: Position(10), .. }), "{error}");

    let mut passed = Assembler::new(&Cut::default(), WIDE, 1_000);
    for message in &log {
        passed.offer(message.clone()).expect("an event");
    }
    assert_eq!(passed.take(&EVERYTHING).expect("the log").len(), log.len());
    let copy = Message { offset: 1_000_000, ..log[9].clone() };
    assert_eq!(passed.offer(copy).expect("a copy"), Offer::Copy);
    let error = passed.offer(impostor(10)).expect_err("a different event later");
    assert!(matches!(error, Error::CopyDiffers { position: Position(10), .. }), "{error}");
}

#[test]
fn a_copy_too_old_to_remember_is_never_dropped_unchecked() {
    let log = given_log(14, 50);
    let mut assembler = Assembler::new(&Cut::default(), WIDE, 10);
    for message in &log {
        assembler.offer(message.clone()).expect("an event");
    }
    assembler.take(&EVERYTHING).expect("the log");
    let copy = Message { offset: 1_000_000, ..log[0].clone() };
    assert_eq!(assembler.offer(copy.clone()).expect("a copy"), Offer::Unverified(copy));
}

#[test]
fn what_is_read_again_from_the_same_place_is_no_copy() {
    let log = given_log(20, 50);
    let mut assembler = Assembler::new(&Cut::default(), WIDE, 10);
    for message in &log {
        assembler.offer(message.clone()).expect("an event");
    }
    assembler.take(&EVERYTHING).expect("the log");
    for message in &log {
        assert_eq!(assembler.offer(message.clone()).expect("read again"), Offer::ReadAgain);
    }
    let last = log.last().expect("an event");
    let impostor = Message { event_id: Uuid::from_u128(42), ..last.clone() };
    assembler.offer(impostor).expect_err("a different event where one was remembered");
}

#[test]
fn a_gap_is_waited_for_and_named() {
    let log = given_log(15, 50);
    let mut assembler = Assembler::new(&Cut::default(), WIDE, 100);
    for message in log.iter().filter(|message| message.position != Position(20)) {
        assembler.offer(message.clone()).expect("an event");
    }
    let before = assembler.take(&EVERYTHING).expect("what is whole");
    assert!(before.last().expect("some").position < Position(20));
    let missing = assembler.missing().expect("a gap");
    assert_eq!((missing.position, missing.seen), (Position(20), Position(log.len() as u64)));
    assembler.offer(log[19].clone()).expect("the missing one");
    let after = assembler.take(&EVERYTHING).expect("the rest");
    assert_eq!(before.len() + after.len(), log.len());
    assert_eq!(assembler.missing(), None);
    assembler.hear_of(Position(log.len() as u64 + 3));
    assert_eq!(assembler.missing().expect("heard of").position.0, log.len() as u64 + 1);
}

#[test]
fn a_partition_far_ahead_waits() {
    let log = given_log(16, 4_000);
    let partitions = by_partition(&log);
    let bounds = BufferBounds { positions_max: 64, bytes_max: 64 << 10 };
    // One partition is read to where it is stopped before any other is looked at.
    let ((topic, partition), messages) =
        partitions.iter().max_by_key(|(_, messages)| messages.len()).expect("a partition");
    let mut assembler = Assembler::new(&Cut::default(), bounds, 100);
    let mut read = 0;
    while assembler.wants(*topic, *partition) {
        assembler.offer(messages[read].clone()).expect("an event");
        read += 1;
    }
    assert!(read < messages.len() && read <= bounds.positions_max + 1, "{read} read");
    assert!(assembler.buffered_bytes() <= bounds.bytes_max + 8192);
    // Bounded so tightly, everything still comes through.
    let mut given = Given::seed(17);
    let epochs = read_all(&partitions, &Cut::default(), bounds, 10, &mut given).expect("the log");
    assert_eq!(last(&epochs).last_position.0, log.len() as u64);
}

#[test]
fn numbers_in_a_transaction_that_do_not_follow_are_refused() {
    let mut log = given_log(18, 20);
    let inside = log.iter().position(|message| message.number == 2).expect("a second event");
    log[inside].number = 1;
    log[inside].size = 1;
    let mut assembler = Assembler::new(&Cut::default(), WIDE, 100);
    let error = log.iter().find_map(|message| assembler.offer(message.clone()).err());
    let position = log[inside].position;
    assert!(matches!(error, Some(Error::Transaction { position: at, .. }) if at == position));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However the partitions are read and epochs are cut, and wherever the source is restarted:
    /// whole transactions, no gap, and the same rows.
    #[test]
    fn restart_from_any_cut_gives_the_same_rows(
        seed: u64,
        transactions in 1_usize..120,
        events in 1_usize..60,
        positions_max in 8_usize..200,
    ) {
        let log = given_log(seed, transactions);
        let partitions = by_partition(&log);
        let bounds = BufferBounds { positions_max, bytes_max: 1 << 20 };
        let mut given = Given::seed(seed ^ 1);
        let whole = read_all(&partitions, &Cut::default(), bounds, events, &mut given)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        let expected = contents(&whole);
        for epoch in &whole {
            let ends = &log[epoch.last_position.0 as usize - 1];
            prop_assert_eq!(ends.number, ends.size, "an epoch ends inside a transaction");
            prop_assert_eq!(epoch.cut.applied + epoch.cut.dead_lettered, epoch.last_position.0);
        }
        let stop = given.below(whole.len() as u32) as usize;
        let kept = &whole[..=stop];
        let json = serde_json::to_string(&kept[stop].cut).expect("a cut is JSON");
        let cut: Cut = serde_json::from_str(&json).expect("and comes back");
        let rest = read_all(&partitions, &cut, bounds, events + 3, &mut given)
            .map_err(|error| TestCaseError::fail(error.to_string()))?;
        if let Some(first) = rest.first() {
            prop_assert_eq!(first.number, kept[stop].number + 1);
            prop_assert_eq!(first.first_position, kept[stop].last_position.next());
        }
        let together = [kept, &rest].concat();
        prop_assert_eq!(contents(&together), expected);
    }
}
