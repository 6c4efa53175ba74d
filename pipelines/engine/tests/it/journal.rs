//! The journal of cuts.

use millrace_engine::{CheckpointStore, Cut, Error, Journal, JournalEntry, MemoryStore};

fn cut(position: u64) -> Cut {
    [("events-0", position), ("events-1", position * 2)].into_iter().collect()
}

fn journal(epochs: std::ops::Range<u64>) -> (MemoryStore, Journal) {
    let mut store = MemoryStore::new();
    let (mut journal, entries) = Journal::open(&mut store, 0).expect("an empty store is good");
    assert!(entries.is_empty());
    for epoch in epochs {
        journal.append(&mut store, epoch, &cut(epoch)).expect("memory can be written");
    }
    (store, journal)
}

fn epochs(entries: &[JournalEntry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.epoch).collect()
}

#[test]
fn cuts_after_the_checkpoint_come_back_in_order() {
    let (mut store, _) = journal(1..8);
    let (_, entries) = Journal::open(&mut store, 4).unwrap();
    assert_eq!(epochs(&entries), [5, 6, 7]);
    assert_eq!(entries[0].cut, cut(5));
}

#[test]
fn a_torn_entry_is_dropped_and_appending_goes_on() {
    for lost in 1..30 {
        let (mut store, _) = journal(1..4);
        let name = store.list().unwrap().remove(0);
        let bytes = store.file_mut(&name).unwrap();
        bytes.truncate(bytes.len() - lost);
        let (mut journal, entries) = Journal::open(&mut store, 0).unwrap();
        assert_eq!(epochs(&entries), [1, 2]);
        journal.append(&mut store, 3, &cut(33)).unwrap();
        let (_, entries) = Journal::open(&mut store, 0).unwrap();
        assert_eq!((epochs(&entries), entries[2].cut.get("events-0")), (vec![1, 2, 3], Some(33)));
    }
}

#[test]
fn damage_before_the_end_is_an_error() {
    let (mut store, _) = journal(1..4);
    let name = store.list().unwrap().remove(0);
    store.file_mut(&name).unwrap()[12] ^= 1;
    assert!(matches!(Journal::open(&mut store, 0), Err(Error::Damaged { .. })));
}

#[test]
fn files_before_the_oldest_checkpoint_go() {
    let (mut store, mut journal) = journal(1..4);
    journal.checkpointed(&mut store, 3, 3).unwrap();
    for epoch in 4..6 {
        journal.append(&mut store, epoch, &cut(epoch)).unwrap();
    }
    journal.checkpointed(&mut store, 5, 3).unwrap();
    journal.append(&mut store, 6, &cut(6)).unwrap();
    let (_, entries) = Journal::open(&mut store, 3).unwrap();
    assert_eq!(epochs(&entries), [4, 5, 6]);
    assert_eq!(store.list().unwrap().len(), 2);
    journal.checkpointed(&mut store, 6, 5).unwrap();
    let (_, entries) = Journal::open(&mut store, 5).unwrap();
    assert_eq!(epochs(&entries), [6]);
}

#[test]
fn a_checkpoint_on_the_way_through_a_replay_keeps_the_epochs_to_come() {
    let (mut store, _) = journal(1..7);
    let (mut journal, entries) = Journal::open(&mut store, 2).unwrap();
    assert_eq!(epochs(&entries), [3, 4, 5, 6]);
    journal.checkpointed(&mut store, 4, 4).unwrap();
    let (_, entries) = Journal::open(&mut store, 4).unwrap();
    assert_eq!(epochs(&entries), [5, 6]);
    journal.append(&mut store, 7, &cut(7)).unwrap();
    journal.checkpointed(&mut store, 7, 7).unwrap();
    assert_eq!(store.list().unwrap(), [] as [&str; 0]);
}
