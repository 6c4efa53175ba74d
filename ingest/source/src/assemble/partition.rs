//! How far one partition was read and which of its messages wait.

use std::collections::VecDeque;

use crate::Message;

#[derive(Debug)]
pub(super) struct Partition {
    /// The offset after the last message read, by this run or an earlier one.
    next: i64,
    last_position: u64,
    /// Offset and position of what was read and not settled.
    pending: VecDeque<(i64, u64)>,
    /// Read, but too far ahead to be placed.
    held: VecDeque<Message>,
}

impl Partition {
    pub(super) fn new(next: i64) -> Self {
        Self { next, last_position: 0, pending: VecDeque::new(), held: VecDeque::new() }
    }

    /// Notes that a message was read; whether it had been read before, by this run or an earlier one.
    pub(super) fn read(&mut self, offset: i64, position: u64) -> bool {
        let is_read_again = offset < self.next;
        self.next = self.next.max(offset + 1);
        self.last_position = position;
        is_read_again
    }

    pub(super) fn last_position(&self) -> u64 {
        self.last_position
    }

    pub(super) fn pend(&mut self, offset: i64, position: u64) {
        self.pending.push_back((offset, position));
    }

    pub(super) fn hold(&mut self, message: Message) {
        self.held.push_back(message);
    }

    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// The oldest held message, if its position is below `bound` by now.
    pub(super) fn release(&mut self, bound: u64) -> Option<Message> {
        self.held.pop_front_if(|message| message.position.0 < bound)
    }

    /// Forgets what is passed: every position below `next_position`. Gives the offset to read next.
    pub(super) fn settle(&mut self, next_position: u64) -> i64 {
        while self.pending.pop_front_if(|(_, position)| *position < next_position).is_some() {}
        self.pending.front().map_or(self.next, |(offset, _)| *offset)
    }
}
