//! Whether the pair and the server belong together. Anything doubtful is refused with its remedy.

use crate::postgres::inspect::{Server, Slot};
use crate::{Error, Pair, RelayOptions};

/// What has to hold with or without a pair.
pub(crate) fn publication(server: &Server, options: &RelayOptions) -> Result<(), Error> {
    let publication = options.publication.clone();
    match server.publication_is_right {
        None => Err(Error::PublicationMissing { publication }),
        Some(false) => Err(Error::PublicationWrong { publication }),
        Some(true) => Ok(()),
    }
}

/// The slot to replicate from, if replication may start at the pair. A timeline that changed by a
/// failover to a synced slot is taken over into the pair.
pub(crate) fn replication<'a>(
    pair: &mut Pair,
    server: &'a Server,
    options: &RelayOptions,
) -> Result<&'a Slot, Error> {
    let name = options.slot.clone();
    if server.slot.as_ref().is_some_and(|slot| slot.is_active) {
        return Err(Error::SlotBusy { slot: name });
    }
    same_server(pair, server)?;
    let slot = server
        .slot
        .as_ref()
        .ok_or(Error::SlotMissing { slot: name.clone(), position: pair.durable.position })?;
    if slot.plugin != "pgoutput" || slot.database != server.database {
        let (plugin, database) = (slot.plugin.clone(), slot.database.clone());
        return Err(Error::SlotForeign { slot: name, plugin, database });
    }
    if let Some(reason) = slot.invalidation.clone() {
        return Err(Error::SlotInvalidated { slot: name, reason });
    }
    if slot.confirmed > pair.durable.lsn {
        let (confirmed, durable) = (slot.confirmed, pair.durable.lsn);
        return Err(Error::SlotAhead { slot: name, confirmed, durable });
    }
    Ok(slot)
}

/// The server is the one the pair was written for, and has not lost what was sent.
pub(crate) fn same_server(pair: &mut Pair, server: &Server) -> Result<(), Error> {
    if server.system_id != pair.system_id {
        return Err(Error::ServerReplaced {
            expected: pair.system_id.clone(),
            found: server.system_id.clone(),
        });
    }
    if server.timeline != pair.timeline {
        if !server.slot.as_ref().is_some_and(|slot| slot.is_synced) {
            return Err(Error::TimelineChanged {
                slot: pair.slot.clone(),
                expected: pair.timeline,
                found: server.timeline,
            });
        }
        pair.timeline = server.timeline;
    }
    if server.flushed < pair.durable.lsn {
        return Err(Error::ServerRestored { flushed: server.flushed, durable: pair.durable.lsn });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use millrace_events::{Lsn, Position};

    use super::*;
    use crate::{Ends, Mark};

    fn options() -> RelayOptions {
        let clock = Arc::new(|| chrono::DateTime::UNIX_EPOCH);
        RelayOptions::new("postgres://u@h/millrace".into(), "b:1", "/tmp", clock)
    }

    fn pair() -> Pair {
        let mark = |lsn| Mark {
            lsn: Lsn(lsn),
            position: Position(lsn / 10),
            ends: Ends::default(),
            last: None,
        };
        Pair {
            system_id: "7".into(),
            timeline: 1,
            slot: "millrace_relay".into(),
            incarnation: 1,
            orphaned: Vec::new(),
            durable: mark(100),
            confirmed: mark(50),
        }
    }

    fn server() -> Server {
        Server {
            system_id: "7".into(),
            timeline: 1,
            flushed: Lsn(200),
            database: "millrace".into(),
            publication_is_right: Some(true),
            slot: Some(Slot {
                plugin: "pgoutput".into(),
                database: "millrace".into(),
                is_active: false,
                is_synced: false,
                invalidation: None,
                confirmed: Lsn(50),
            }),
        }
    }

    fn refusal(change: impl FnOnce(&mut Server, &mut Slot)) -> &'static str {
        let mut server = server();
        let mut slot = server.slot.take().unwrap();
        change(&mut server, &mut slot);
        server.slot = Some(slot);
        match replication(&mut pair(), &server, &options()) {
            Ok(_) => "admitted",
            Err(error) => error.code(),
        }
    }

    #[test]
    fn each_doubtful_state_is_refused_by_name() {
        assert_eq!(refusal(|_, _| {}), "admitted");
        assert_eq!(refusal(|_, slot| slot.confirmed = Lsn(20)), "admitted");
        assert_eq!(refusal(|_, slot| slot.confirmed = Lsn(101)), "slot_ahead");
        assert_eq!(refusal(|_, slot| slot.is_active = true), "slot_busy");
        assert_eq!(refusal(|_, slot| slot.plugin = "test_decoding".into()), "slot_foreign");
        assert_eq!(refusal(|_, slot| slot.database = "other".into()), "slot_foreign");
        let lost = |_: &mut Server, slot: &mut Slot| slot.invalidation = Some("wal_removed".into());
        assert_eq!(refusal(lost), "slot_invalidated");
        assert_eq!(refusal(|server, _| server.system_id = "8".into()), "server_replaced");
        assert_eq!(refusal(|server, _| server.timeline = 2), "timeline_changed");
        assert_eq!(refusal(|server, _| server.flushed = Lsn(99)), "server_restored");
    }

    #[test]
    fn a_missing_slot_is_refused() {
        let server = Server { slot: None, ..server() };
        let refused = replication(&mut pair(), &server, &options()).unwrap_err();
        assert_eq!(refused.code(), "slot_missing");
        assert!(refused.to_string().contains("recover lost-slot"));
    }

    #[test]
    fn a_synced_slot_carries_over_to_the_new_timeline() {
        let mut server = server();
        server.timeline = 2;
        server.slot.as_mut().unwrap().is_synced = true;
        let mut pair = pair();
        assert!(replication(&mut pair, &server, &options()).is_ok());
        assert_eq!(pair.timeline, 2);
    }
}
