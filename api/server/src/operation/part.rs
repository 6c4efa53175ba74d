//! A part of the installation and how it fares.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

/// Whether a part does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartState {
    Ready,
    Starting,
    Down,
}

/// One part: PostgreSQL, the broker, ClickHouse, the relay, the pipeline …
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Part {
    pub state: PartState,
    /// What a person should know; empty when all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl Part {
    #[must_use]
    pub fn ready() -> Self {
        Self { state: PartState::Ready, detail: String::new() }
    }

    #[must_use]
    pub fn down(detail: impl Into<String>) -> Self {
        Self { state: PartState::Down, detail: detail.into() }
    }

    #[must_use]
    pub fn starting(detail: impl Into<String>) -> Self {
        Self { state: PartState::Starting, detail: detail.into() }
    }
}

/// Asks the parts that the process looks after; it must answer at once, from what is known.
#[derive(Clone)]
pub struct Parts(Arc<dyn Fn() -> BTreeMap<String, Part> + Send + Sync>);

impl Parts {
    pub fn new(ask: impl Fn() -> BTreeMap<String, Part> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(crate) fn ask(&self) -> BTreeMap<String, Part> {
        (self.0)()
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self::new(BTreeMap::new)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parts")
    }
}
