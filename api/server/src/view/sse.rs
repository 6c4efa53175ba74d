//! Server-sent events as bytes.

use bytes::Bytes;

/// One event. `data` is JSON on one line. Without a position the client's last event id is emptied,
/// so that a reconnect does not resume from before.
pub(super) fn event(name: &str, position: Option<u64>, data: &[u8]) -> Bytes {
    debug_assert!(!data.contains(&b'\n'), "JSON is written on one line");
    let mut event = Vec::with_capacity(data.len() + name.len() + 48);
    event.extend_from_slice(b"event: ");
    event.extend_from_slice(name.as_bytes());
    event.extend_from_slice(b"\nid: ");
    if let Some(position) = position {
        event.extend_from_slice(position.to_string().as_bytes());
    }
    event.extend_from_slice(b"\ndata: ");
    event.extend_from_slice(data);
    event.extend_from_slice(b"\n\n");
    Bytes::from(event)
}
