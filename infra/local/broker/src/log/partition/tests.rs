use bytes::Bytes;
use nisshi_sans_io::record::{Record, inflated};

use super::*;

/// A batch of numbered records, `milliseconds` apart from `at` on.
fn batch(records: i32, at: i64, milliseconds: i64) -> Batch {
    let mut batch = inflated::Batch::builder()
        .base_timestamp(at)
        .max_timestamp(at + milliseconds * i64::from(records - 1))
        .last_offset_delta(records - 1);
    for delta in 0..records {
        batch = batch.record(
            Record::builder()
                .offset_delta(delta)
                .timestamp_delta(milliseconds * i64::from(delta))
                .value(Some(Bytes::from(vec![b'x'; 500]))),
        );
    }
    batch.build().and_then(Batch::try_from).expect("a batch")
}

fn open(folder: &Path) -> Partition {
    Partition::open_with(folder.to_owned(), 10_000).expect("the partition opens")
}

/// Offsets of the batches that a read gives.
fn offsets(partition: &Partition, offset: i64, bytes_max: usize) -> Vec<(i64, i64)> {
    let batches = partition.read(offset, bytes_max).expect("it can be read");
    batches.iter().map(|batch| (batch.base_offset, batch.max_offset())).collect()
}

fn filled(folder: &Path) -> Partition {
    let mut partition = open(folder);
    for n in 0..100 {
        assert_eq!(partition.append(batch(3, 1000 * n, 10)).expect("appended"), 3 * n);
    }
    assert!(partition.segments.len() > 5, "{} segments", partition.segments.len());
    partition
}

#[test]
fn every_offset_is_found_in_every_segment_also_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut partition = filled(folder.path());
    for round in 0..2 {
        for offset in 0..300 {
            let first = offsets(&partition, offset, 1)[0];
            assert_eq!(first, (offset / 3 * 3, offset / 3 * 3 + 2), "round {round}");
        }
        assert_eq!((partition.start(), partition.end()), (0, 300));
        partition = open(folder.path());
    }
}

#[test]
fn a_read_gives_whole_batches_up_to_its_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let partition = filled(folder.path());
    let bytes = partition.read(0, 1).expect("one batch")[0].record_data.len() + 61;
    assert_eq!(offsets(&partition, 1, 2 * bytes), [(0, 2), (3, 5)]);
    assert_eq!(offsets(&partition, 1, 2 * bytes + 1), [(0, 2), (3, 5)]);
    assert_eq!(offsets(&partition, 1, 3 * bytes), [(0, 2), (3, 5), (6, 8)]);
}

#[test]
fn what_was_being_written_is_cut_off_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = filled(folder.path()).active().path().to_owned();
    let whole = fs::read(&path).expect("the segment");
    let end = open(folder.path()).end();
    for damage in ["a part of a head", "a part of a batch", "a bit"] {
        let mut bytes = whole.clone();
        let lost = match damage {
            "a part of a head" => { bytes.extend_from_slice(&whole[..40]); 0 }
            "a part of a batch" => { bytes.extend_from_slice(&whole[..200]); 0 }
            _ => { *bytes.last_mut().expect("a byte") ^= 1; 3 }
        };
        fs::write(&path, &bytes).expect("written");
        let mut partition = open(folder.path());
        assert_eq!(partition.end(), end - lost, "{damage}");
        assert_eq!(partition.append(batch(3, 0, 0)).expect("appended"), end - lost, "{damage}");
        drop(partition);
        fs::write(&path, &whole).expect("written");
    }
}

#[test]
fn damage_in_a_sealed_segment_is_told_not_cut() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = filled(folder.path()).segments[0].path().to_owned();
    let mut bytes = fs::read(&first).expect("the segment");
    bytes[700] ^= 1;
    fs::write(&first, bytes).expect("written");
    fs::remove_file(first.with_extension("seal")).expect("it was sealed");
    let error = Partition::open_with(folder.path().to_owned(), 10_000).expect_err("damaged");
    assert!(matches!(&error, Error::Damaged { path, .. } if *path == first), "{error}");
}

#[test]
fn a_time_is_found_to_the_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let partition = filled(folder.path());
    assert_eq!(partition.find_time(0).expect("found"), Some((0, 0)));
    assert_eq!(partition.find_time(42_001).expect("found"), Some((127, 42_010)));
    assert_eq!(partition.find_time(42_021).expect("found"), Some((129, 43_000)));
    assert_eq!(partition.find_time(99_021).expect("none"), None);
}

#[test]
fn records_that_were_deleted_stay_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut partition = filled(folder.path());
    let before = partition.segments.len();
    partition.delete_before(150).expect("deleted");
    assert!(partition.segments.len() < before);
    let partition = open(folder.path());
    assert_eq!((partition.start(), partition.end()), (150, 300));
    assert_eq!(offsets(&partition, 150, 1), [(150, 152)]);
}

#[test]
fn what_a_topic_need_not_keep_goes_and_offsets_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut partition = filled(folder.path());
    partition.retain(Retention::default(), i64::MAX).expect("kept");
    assert_eq!(partition.start(), 0);
    let by_size = Retention { milliseconds: None, bytes: Some(30_000) };
    partition.retain(by_size, 0).expect("retained");
    assert!(partition.start() > 0);
    let kept: u64 = partition.segments.iter().map(Segment::bytes).sum();
    assert!((30_000..45_000).contains(&kept), "{kept} bytes are kept");
    let by_age = Retention { milliseconds: Some(1000), bytes: None };
    partition.retain(by_age, 200_000).expect("retained");
    assert_eq!((partition.start(), partition.end()), (300, 300));
    drop(partition);
    let mut partition = open(folder.path());
    assert_eq!(partition.append(batch(1, 0, 0)).expect("appended"), 300);
}
