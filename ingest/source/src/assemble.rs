//! Messages of all partitions put into one order: gapless by position, copies dropped, given out in
//! whole transactions. Knows no broker, no clock and no format: messages in, prefixes out.

mod frontier;
mod partition;
mod recent;

use std::collections::{BTreeMap, VecDeque};

use millrace_events::{Position, Topic};
use uuid::Uuid;

use crate::{BufferBounds, Cut, EpochTarget, Error, Message};
pub use frontier::Frontiers;
use partition::Partition;
use recent::{Recent, Remembered};

/// Merges partitions by position.
#[derive(Debug)]
pub struct Assembler {
    bounds: BufferBounds,
    /// The position after the last one given out: the first place of `ring`.
    next: u64,
    ring: VecDeque<Option<Message>>,
    /// Places from the front of `ring` without a gap.
    contiguous: Size,
    /// Places from the front of `ring` up to the last transaction end without a gap before it.
    ready: Size,
    /// Number and size of the transaction at the end of `contiguous`.
    reached: (u32, u32),
    buffered_bytes: usize,
    /// The furthest position seen or heard of.
    seen: u64,
    recent: Recent,
    /// By topic, in the order of [`Topic::ALL`], then by partition.
    partitions: Vec<Vec<Partition>>,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub events: usize,
    pub bytes: usize,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer {
    /// It is new and waits for its turn.
    Buffered,
    /// It is a copy of an event seen before.
    Copy,
    /// It is a message that was read before, from the same place in the log.
    ReadAgain,
    /// It claims a position passed before this assembler began or too long ago to be remembered:
    /// a copy only if the log's event at that position has this id.
    Unverified(Message),
}

/// A position that has not arrived though later ones exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    pub position: Position,
    pub seen: Position,
}

impl Assembler {
    /// Goes on after `start`; `remembered` is how many event ids copies are checked against.
    #[must_use]
    pub fn new(start: &Cut, bounds: BufferBounds, remembered: usize) -> Self {
        let partitions = Topic::ALL.iter().map(|topic| {
            let offsets = start.offsets.get(topic.as_str()).map_or(&[][..], Vec::as_slice);
            offsets.iter().map(|offset| Partition::new(*offset)).collect()
        });
        Self {
            bounds,
            next: start.position.0 + 1,
            ring: VecDeque::new(),
            contiguous: Size::default(),
            ready: Size::default(),
            reached: (0, 0),
            buffered_bytes: 0,
            seen: start.position.0,
            recent: Recent::new(remembered, start.position.0 + 1),
            partitions: partitions.collect(),
        }
    }

    /// Takes one message, the messages of a partition in the order of their offsets.
    ///
    /// # Errors
    /// [`Error::CopyDiffers`] when another event has its position, [`Error::Transaction`] when the
    /// numbers in its transaction don't follow each other. The log is damaged then: stop.
    pub fn offer(&mut self, message: Message) -> Result<Offer, Error> {
        let position = message.position.0;
        let partition = partition_of(&mut self.partitions, message.topic, message.partition);
        let is_read_again = partition.read(message.offset, position);
        self.seen = self.seen.max(position);
        if position >= self.next && position - self.next >= self.bounds.positions_max as u64 {
            partition.pend(message.offset, position);
            partition.hold(message);
            return Ok(Offer::Buffered);
        }
        if position >= self.next {
            partition.pend(message.offset, position);
        }
        self.accept(message, is_read_again)
    }

    fn accept(&mut self, message: Message, is_read_again: bool) -> Result<Offer, Error> {
        let position = message.position.0;
        if position < self.next {
            return match self.recent.check(position, message.event_id) {
                Remembered::Other(known) => Err(differs(known, &message)),
                Remembered::Same if !is_read_again => Ok(Offer::Copy),
                Remembered::Unknown if !is_read_again => Ok(Offer::Unverified(message)),
                _ => {
                    self.recent.remember(position, message.event_id);
                    Ok(Offer::ReadAgain)
                }
            };
        }
        let index = usize::try_from(position - self.next)
            .expect("a position within the bounds is a place in the ring");
        if index >= self.ring.len() {
            self.ring.resize_with(index + 1, || None);
        }
        if let Some(known) = &self.ring[index] {
            if known.event_id != message.event_id {
                return Err(differs(known.event_id, &message));
            }
            return Ok(if is_read_again { Offer::ReadAgain } else { Offer::Copy });
        }
        self.buffered_bytes += bytes(&message);
        self.ring[index] = Some(message);
        if index == self.contiguous.events {
            self.extend()?;
        }
        Ok(Offer::Buffered)
    }

    /// Moves the gapless part on over what has arrived.
    fn extend(&mut self) -> Result<(), Error> {
        while let Some(Some(message)) = self.ring.get(self.contiguous.events) {
            let (before, before_size) = self.reached;
            let follows = if before == before_size {
                message.number == 1
            } else {
                message.number == before + 1 && message.size == before_size
            };
            if !follows {
                return Err(Error::Transaction {
                    position: message.position,
                    number: message.number,
                    size: message.size,
                    before,
                    before_size,
                });
            }
            self.reached = (message.number, message.size);
            self.contiguous.events += 1;
            self.contiguous.bytes += bytes(message);
            if message.number == message.size {
                self.ready = self.contiguous;
            }
        }
        Ok(())
    }

    /// Whether the next message of a partition should be read now. One that runs ahead has to wait,
    /// so that what is buffered stays within its bounds.
    #[must_use]
    pub fn wants(&self, topic: Topic, partition: i32) -> bool {
        let known = usize::try_from(partition)
            .ok()
            .and_then(|partition| self.partitions[topic as usize].get(partition));
        let Some(partition) = known else { return true };
        if partition.is_holding() {
            return false;
        }
        let missing = self.next + self.contiguous.events as u64;
        self.buffered_bytes < self.bounds.bytes_max || partition.last_position() < missing
    }

    /// What can be taken.
    #[must_use]
    pub fn ready(&self) -> Size {
        self.ready
    }

    /// Bytes of all messages that wait for their turn within the bounds.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffered_bytes
    }

    /// Messages held, whether they are within the bounds or not.
    #[must_use]
    pub fn buffered_events(&self) -> usize {
        let held = self.partitions.iter().flatten().map(Partition::held).sum::<usize>();
        self.ring.iter().flatten().count() + held
    }

    /// The furthest position seen in the log or heard of.
    #[must_use]
    pub fn seen(&self) -> Position {
        Position(self.seen)
    }

    /// Learns the id of an event passed before, so that its copies can be told.
    pub fn remember(&mut self, position: Position, event_id: Uuid) {
        self.recent.remember(position.0, event_id);
    }

    /// Learns that the log goes on at least up to `position`.
    pub fn hear_of(&mut self, position: Position) {
        self.seen = self.seen.max(position.0);
    }

    /// The position that holds everything up, if one does.
    #[must_use]
    pub fn missing(&self) -> Option<Missing> {
        let position = self.next + self.contiguous.events as u64;
        (self.seen >= position).then(|| Missing { position: Position(position), seen: self.seen() })
    }

    /// The next whole transactions: all that are ready, or up to the first transaction end at which
    /// the target's number of events or bytes is reached.
    ///
    /// # Errors
    /// As [`Assembler::offer`], for messages that had to wait until now.
    pub fn take(&mut self, target: &EpochTarget) -> Result<Vec<Message>, Error> {
        let mut taken = Vec::with_capacity(self.ready.events.min(target.events_max));
        let mut taken_bytes = 0;
        while taken.len() < self.ready.events {
            let message = self.ring.pop_front().flatten().expect("what is ready has arrived");
            taken_bytes += bytes(&message);
            self.recent.push(message.event_id);
            let ends = message.number == message.size;
            taken.push(message);
            if ends && target.is_reached(Size { events: taken.len(), bytes: taken_bytes }) {
                break;
            }
        }
        for size in [&mut self.ready, &mut self.contiguous] {
            size.events -= taken.len();
            size.bytes -= taken_bytes;
        }
        self.buffered_bytes -= taken_bytes;
        self.next += taken.len() as u64;
        self.release()?;
        Ok(taken)
    }

    /// Places held messages that are within the bounds by now.
    fn release(&mut self) -> Result<(), Error> {
        let bound = self.next + self.bounds.positions_max as u64;
        let mut released = Vec::new();
        for partition in self.partitions.iter_mut().flatten() {
            while let Some(message) = partition.release(bound) {
                released.push(message);
            }
        }
        for message in released {
            if let Offer::Unverified(message) = self.accept(message, false)? {
                return Err(self.too_old(&message));
            }
        }
        Ok(())
    }

    /// What to say when an unverified message can't be verified.
    #[must_use]
    pub fn too_old(&self, message: &Message) -> Error {
        Error::CopyTooOld {
            position: message.position,
            event_id: message.event_id,
            place: message.place(),
            oldest: Position(self.recent.oldest()),
        }
    }

    /// Per topic and partition, the first offset that holds an event not given out yet.
    pub fn offsets(&mut self) -> BTreeMap<String, Vec<i64>> {
        let next = self.next;
        Topic::ALL
            .iter()
            .zip(&mut self.partitions)
            .map(|(topic, partitions)| {
                let offsets = partitions.iter_mut().map(|partition| partition.settle(next));
                (topic.as_str().to_owned(), offsets.collect())
            })
            .collect()
    }
}

fn bytes(message: &Message) -> usize {
    message.value.as_ref().map_or(0, |value| value.len())
}

fn partition_of(partitions: &mut [Vec<Partition>], topic: Topic, partition: i32) -> &mut Partition {
    let partitions = &mut partitions[topic as usize];
    let index = usize::try_from(partition).expect("a partition is numbered from 0");
    if index >= partitions.len() {
        partitions.resize_with(index + 1, || Partition::new(0));
    }
    &mut partitions[index]
}

fn differs(known: Uuid, message: &Message) -> Error {
    Error::CopyDiffers {
        position: message.position,
        known,
        found: message.event_id,
        place: message.place(),
    }
}
