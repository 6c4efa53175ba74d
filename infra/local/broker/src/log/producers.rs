//! Idempotent producers: each batch once and in order, whatever is sent again.

use std::collections::{HashMap, VecDeque};

use nisshi_sans_io::ErrorCode;
use serde::{Deserialize, Serialize};

use super::batch::Head;

/// Batches that a client may have in flight, and so send again.
const REMEMBERED: usize = 5;
/// Producers remembered by a partition; beyond it the one that wrote longest ago is forgotten.
const PRODUCERS_MAX: usize = 1000;

/// What a producer's next batch has to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    New,
    /// The batch is there already, from this offset on.
    Duplicate(i64),
}

/// The producers of a partition.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Producers(HashMap<i64, Producer>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Producer {
    epoch: i16,
    /// The newest last; never empty.
    written: VecDeque<Written>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Written {
    base_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
}

impl Producers {
    /// Checks a batch that is to be appended.
    ///
    /// # Errors
    /// What Kafka answers to a producer that was replaced, left something out, or sends again what is
    /// no longer remembered.
    pub fn check(&self, batch: &Head) -> Result<Verdict, ErrorCode> {
        if !batch.is_idempotent {
            return Ok(Verdict::New);
        }
        let producer = self.0.get(&batch.producer_id);
        let Some(producer) = producer.filter(|known| known.epoch >= batch.producer_epoch) else {
            return match batch.base_sequence {
                0 => Ok(Verdict::New),
                _ => Err(ErrorCode::OutOfOrderSequenceNumber),
            };
        };
        if producer.epoch > batch.producer_epoch {
            return Err(ErrorCode::ProducerFenced);
        }
        let last = last_sequence(batch);
        let before = producer.written.iter().find(|written| {
            (written.base_sequence, written.last_sequence) == (batch.base_sequence, last)
        });
        if let Some(before) = before {
            return Ok(Verdict::Duplicate(before.base_offset));
        }
        let newest = producer.written.back().expect("a known producer has written");
        let expected = after(newest.last_sequence, 1);
        match batch.base_sequence {
            sequence if sequence == expected => Ok(Verdict::New),
            sequence if sequence < expected => Err(ErrorCode::DuplicateSequenceNumber),
            _ => Err(ErrorCode::OutOfOrderSequenceNumber),
        }
    }

    /// Remembers a batch that was appended.
    pub fn note(&mut self, batch: &Head) {
        if !batch.is_idempotent {
            return;
        }
        let producer = self.0.entry(batch.producer_id).or_insert_with(|| Producer {
            epoch: batch.producer_epoch,
            written: VecDeque::with_capacity(REMEMBERED),
        });
        if producer.epoch != batch.producer_epoch {
            producer.epoch = batch.producer_epoch;
            producer.written.clear();
        }
        if producer.written.len() == REMEMBERED {
            producer.written.pop_front();
        }
        producer.written.push_back(Written {
            base_sequence: batch.base_sequence,
            last_sequence: last_sequence(batch),
            base_offset: batch.base_offset,
        });
        if self.0.len() > PRODUCERS_MAX {
            let newest = |producer: &Producer| producer.written.back().map(|last| last.base_offset);
            let oldest = self.0.iter().min_by_key(|(_, producer)| newest(producer));
            if let Some(id) = oldest.map(|(id, _)| *id) {
                self.0.remove(&id);
            }
        }
    }
}

fn last_sequence(batch: &Head) -> i32 {
    let records = i32::try_from(batch.last_offset - batch.base_offset);
    after(batch.base_sequence, records.expect("a batch counts its records in 32 bits"))
}

/// Sequences start again at 0 after the largest number.
fn after(sequence: i32, by: i32) -> i32 {
    sequence.checked_add(by).unwrap_or_else(|| by - (i32::MAX - sequence) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(epoch: i16, base_sequence: i32, records: i64, base_offset: i64) -> Head {
        Head {
            base_offset,
            last_offset: base_offset + records - 1,
            max_timestamp: 0,
            producer_id: 7,
            producer_epoch: epoch,
            base_sequence,
            bytes: 100,
            is_idempotent: true,
        }
    }

    #[test]
    fn a_batch_sent_again_is_told_where_it_is() {
        let mut producers = Producers::default();
        for (sequence, offset) in [(0, 100), (10, 110), (20, 120)] {
            let batch = head(0, sequence, 10, offset);
            assert_eq!(producers.check(&batch), Ok(Verdict::New));
            producers.note(&batch);
        }
        assert_eq!(producers.check(&head(0, 10, 10, 999)), Ok(Verdict::Duplicate(110)));
        assert_eq!(
            producers.check(&head(0, 40, 1, 999)),
            Err(ErrorCode::OutOfOrderSequenceNumber)
        );
        assert_eq!(
            producers.check(&head(0, 12, 3, 999)),
            Err(ErrorCode::DuplicateSequenceNumber)
        );
    }

    #[test]
    fn an_epoch_begins_at_zero_and_fences_the_one_before() {
        let mut producers = Producers::default();
        producers.note(&head(0, 0, 10, 0));
        assert_eq!(
            producers.check(&head(1, 10, 1, 10)),
            Err(ErrorCode::OutOfOrderSequenceNumber)
        );
        let batch = head(1, 0, 1, 10);
        assert_eq!(producers.check(&batch), Ok(Verdict::New));
        producers.note(&batch);
        assert_eq!(producers.check(&head(0, 10, 1, 11)), Err(ErrorCode::ProducerFenced));
    }

    #[test]
    fn a_producer_nobody_knows_starts_at_zero() {
        let producers = Producers::default();
        assert_eq!(
            producers.check(&head(0, 5, 1, 0)),
            Err(ErrorCode::OutOfOrderSequenceNumber)
        );
    }

    #[test]
    fn sequences_wrap() {
        let mut producers = Producers::default();
        producers.note(&head(0, i32::MAX - 1, 3, 0));
        assert_eq!(producers.check(&head(0, 1, 1, 3)), Ok(Verdict::New));
    }

    #[test]
    fn the_producer_that_wrote_longest_ago_is_forgotten() {
        let mut producers = Producers::default();
        for id in 0..=PRODUCERS_MAX as i64 {
            producers.note(&Head { producer_id: id, ..head(0, 0, 1, id) });
        }
        assert_eq!(producers.0.len(), PRODUCERS_MAX);
        assert!(!producers.0.contains_key(&0));
    }
}
