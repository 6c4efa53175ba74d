//! What has arrived, moved from the log's partitions into an assembler.

use bytes::Bytes;
use millrace_events::Topic;

use super::{Log, Read};
use crate::assemble::Size;
use crate::{Assembler, Error, Foreign, Message, Offer};

/// Messages of one partition before the next partition gets its turn.
const TURN_MESSAGES: usize = 256;

/// What the assembler can't judge by itself.
pub(crate) enum Odd {
    Unverified(Message),
    Foreign { place: (Topic, i32, i64), foreign: Foreign, key: Option<Bytes>, value: Option<Bytes> },
}

#[derive(Debug, Default)]
pub(crate) struct Pumped {
    pub(crate) messages: usize,
    pub(crate) copies: u64,
}

/// Gives each partition one turn, until `is_enough` is ready.
pub(crate) fn pump(
    log: &Log,
    assembler: &mut Assembler,
    is_enough: impl Fn(Size) -> bool,
    mut odd: impl FnMut(Odd),
) -> Result<Pumped, Error> {
    let mut pumped = Pumped::default();
    for index in 0..log.len() {
        let (topic, partition) = log.place(index);
        for _ in 0..TURN_MESSAGES {
            if !assembler.wants(topic, partition) {
                break;
            }
            let Some(read) = log.read(index)? else { break };
            pumped.messages += 1;
            match read {
                Read::Event(message) => match assembler.offer(message)? {
                    Offer::Buffered | Offer::ReadAgain => {}
                    Offer::Copy => pumped.copies += 1,
                    Offer::Unverified(message) => odd(Odd::Unverified(message)),
                },
                Read::Foreign { offset, foreign, key, value } => {
                    odd(Odd::Foreign { place: (topic, partition, offset), foreign, key, value });
                }
            }
        }
        if is_enough(assembler.ready()) {
            break;
        }
    }
    Ok(pumped)
}
