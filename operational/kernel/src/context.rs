//! Around one command: who, when, in which trace, under which idempotency key.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use chrono::{DateTime, Utc};

use crate::trace::Trace;
use crate::{Actor, Error, Kernel, Result};

const KEY_HEADER: &str = "idempotency-key";
const KEY_LENGTH_MAX: usize = 255;

/// Cheap to clone. As an extractor it takes the [`Actor`] that the authenticator put there.
#[derive(Clone, Debug)]
pub struct Context {
    pub actor: Arc<Actor>,
    pub idempotency_key: Option<String>,
    now: DateTime<Utc>,
    trace: Trace,
}

impl Context {
    #[must_use]
    pub fn new(kernel: &Kernel, actor: Arc<Actor>) -> Self {
        Self { actor, idempotency_key: None, now: kernel.now(), trace: Trace::current(None) }
    }

    /// Millrace's own doing.
    #[must_use]
    pub fn system(kernel: &Kernel) -> Self {
        Self::new(kernel, Arc::new(Actor::system()))
    }

    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self
    }

    /// One time for the whole command.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    #[must_use]
    pub fn trace_id(&self) -> &str {
        &self.trace.trace_id
    }

    #[must_use]
    pub fn traceparent(&self) -> Option<&str> {
        self.trace.traceparent.as_deref()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Context
where
    Kernel: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let kernel = Kernel::from_ref(state);
        let actor = parts
            .extensions
            .get::<Arc<Actor>>()
            .cloned()
            .ok_or(Error::Unauthenticated { reason: "nobody is signed in" })?;
        let key = parts.headers.get(KEY_HEADER).map(|value| {
            let text = value.to_str().ok().map(str::trim);
            text.filter(|key| !key.is_empty() && key.len() <= KEY_LENGTH_MAX)
                .map(str::to_owned)
                .ok_or_else(|| {
                    Error::field(
                        "Idempotency-Key",
                        "invalid",
                        format!("must have 1 to {KEY_LENGTH_MAX} visible ASCII characters"),
                    )
                })
        });
        let idempotency_key = key.transpose()?;
        let trace = Trace::current(Some(&parts.headers));
        Ok(Self { actor, idempotency_key, now: kernel.now(), trace })
    }
}
