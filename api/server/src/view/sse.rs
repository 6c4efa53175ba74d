//! Server-sent events as bytes.

use bytes::Bytes;
use millrace_views::StreamPlace;

/// One event. `data` is JSON on one line. Without a place the client's last event id is emptied,
/// so that a reconnect does not resume from before.
pub(super) fn event(name: &str, place: Option<StreamPlace>, data: &[u8]) -> Bytes {
    debug_assert!(!data.contains(&b'\n'), "JSON is written on one line");
    let mut event = Vec::with_capacity(data.len() + name.len() + 48);
    event.extend_from_slice(b"event: ");
    event.extend_from_slice(name.as_bytes());
    event.extend_from_slice(b"\nid: ");
    if let Some(place) = place {
        event.extend_from_slice(place.to_string().as_bytes());
    }
    event.extend_from_slice(b"\ndata: ");
    event.extend_from_slice(data);
    event.extend_from_slice(b"\n\n");
    Bytes::from(event)
}
