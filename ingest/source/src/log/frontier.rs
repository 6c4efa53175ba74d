//! What the relay says about how far it is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rdkafka::message::Message as _;

use super::Log;
use crate::assemble::Frontier;

impl Log {
    /// The next frontier that has already arrived; what can't be read is passed over, since the
    /// relay soon sends the next.
    pub(crate) fn read_frontier(&self) -> Option<Frontier> {
        loop {
            let message = match self.frontier.poll(Duration::ZERO)? {
                Ok(message) => message,
                Err(error) => {
                    tracing::warn!(%error, "reading the frontier");
                    return None;
                }
            };
            self.connected.store(true, Ordering::Relaxed);
            match serde_json::from_slice::<Frontier>(message.payload().unwrap_or_default()) {
                Ok(frontier) => return Some(frontier),
                Err(error) => {
                    tracing::warn!(%error, offset = message.offset(), "a frontier can't be read");
                }
            }
        }
    }
}
