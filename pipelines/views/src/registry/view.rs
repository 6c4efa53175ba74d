//! One view as the registry knows it.

use std::collections::BTreeMap;

use arrow::datatypes::SchemaRef;
use millrace_engine::ViewDefinition;
use serde::Serialize;

/// Where a view's rows can be read while they change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Serve {
    /// In memory: JSON, SSE, SQL.
    Live,
    #[default]
    None,
}

impl Serve {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// The ClickHouse table a view fills.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mart {
    /// The rows as they are now, one per key.
    Current,
    /// Every row that ever came or went, with weight and position.
    History,
    #[default]
    None,
}

impl Mart {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "current" => Some(Self::Current),
            "history" => Some(Self::History),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// A view: what its file says and what follows from it.
#[derive(Clone, Debug)]
pub struct View {
    /// Name in SQL, in URLs and of the mart: the file's stem.
    pub name: String,
    /// Folder: `staging`, `core` or `live`; [`View::DEFINED`] for what was defined while the system ran.
    pub area: String,
    pub title: String,
    /// What one row is.
    pub grain: String,
    /// Columns that tell rows apart; empty when rows may repeat.
    pub key: Vec<String>,
    pub serve: Serve,
    pub mart: Mart,
    /// What columns mean, by name; not every column needs it.
    pub column_docs: BTreeMap<String, String>,
    pub docs: String,
    /// The `select`, without the header.
    pub sql: String,
    /// The whole file: places in errors are places in it.
    pub text: String,
    /// Columns of a row.
    pub schema: SchemaRef,
    /// Events and views it reads, by name.
    pub reads: Vec<String>,
    /// Changes with anything that could change its rows: its SQL, what it reads, events' columns.
    pub fingerprint: String,
}

impl View {
    /// The area of views that come from no file.
    pub const DEFINED: &str = "defined";

    /// The view as the engine wants it; one that is served live keeps its rows.
    #[must_use]
    pub fn definition(&self) -> ViewDefinition {
        ViewDefinition {
            name: self.name.clone(),
            // The header is a comment.
            sql: self.text.clone(),
            key: self.key.clone(),
            materialize: self.serve == Serve::Live,
        }
    }

    /// Whether somebody defined it while the system ran.
    #[must_use]
    pub fn is_defined(&self) -> bool {
        self.area == Self::DEFINED
    }
}
