//! Named sessions: connections that keep settings, current database and temporary tables.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use millrace_chdb::{Connection, Engine};
use tokio::{
    sync::{Mutex as AsyncMutex, OwnedMutexGuard},
    time::Instant,
};

use super::{
    failure::{Failure, code},
    request::SessionRequest,
};

/// ClickHouse's `default_session_timeout`.
const TIMEOUT_S: u64 = 60;
const SESSIONS_MAX: usize = 1000;

/// A session; `None` until its first statement opens the connection.
#[derive(Debug)]
pub(super) struct Session {
    connection: Option<Connection>,
    keep: Duration,
    expires: Instant,
}

impl Session {
    /// Its connection, opened at first use.
    pub(super) fn connection(&mut self, engine: &Engine) -> Result<&mut Connection, Failure> {
        if self.connection.is_none() {
            self.connection = Some(engine.connect()?);
        }
        Ok(self.connection.as_mut().expect("set just above"))
    }

    /// Counts its time from now: to be called when a statement has ended.
    pub(super) fn touch(&mut self) {
        self.expires = Instant::now() + self.keep;
    }
}

/// All sessions of the server.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: Mutex<HashMap<String, Arc<AsyncMutex<Session>>>>,
}

impl Sessions {
    /// The session asked for, held for one statement: a second one at the same time is refused, as
    /// ClickHouse does.
    pub(super) fn take(
        &self,
        request: &SessionRequest,
    ) -> Result<OwnedMutexGuard<Session>, Failure> {
        let mut by_id = self.by_id.lock().unwrap_or_else(PoisonError::into_inner);
        drop_expired(&mut by_id);
        let id = &request.id;
        if request.must_exist && !by_id.contains_key(id) {
            return Err(Failure::new(
                code::SESSION_NOT_FOUND,
                format!("Session {id} not found. (SESSION_NOT_FOUND)"),
            ));
        }
        if !by_id.contains_key(id) && by_id.len() >= SESSIONS_MAX {
            let reason = format!(
                "{SESSIONS_MAX} sessions are open: let some expire. (TOO_MANY_SIMULTANEOUS_QUERIES)"
            );
            return Err(Failure::new(code::TOO_MANY_SIMULTANEOUS_QUERIES, reason));
        }
        let keep = Duration::from_secs(request.timeout_s.unwrap_or(TIMEOUT_S));
        let fresh = || {
            Arc::new(AsyncMutex::new(Session {
                connection: None,
                keep,
                expires: Instant::now() + keep,
            }))
        };
        let session = Arc::clone(by_id.entry(id.clone()).or_insert_with(fresh));
        let mut session = session.try_lock_owned().map_err(|_| {
            Failure::new(
                code::SESSION_IS_LOCKED,
                format!("Session {id} is locked by a concurrent client. (SESSION_IS_LOCKED)"),
            )
        })?;
        session.keep = keep;
        Ok(session)
    }

    /// Closes sessions that have not been used for their time.
    pub(super) fn expire(&self) {
        drop_expired(&mut self.by_id.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Closes all of them.
    pub(super) fn clear(&self) {
        self.by_id.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

fn drop_expired(by_id: &mut HashMap<String, Arc<AsyncMutex<Session>>>) {
    let now = Instant::now();
    by_id.retain(|_, session| session.try_lock().map_or(true, |session| session.expires > now));
}
