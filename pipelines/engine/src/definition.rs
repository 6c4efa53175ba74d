//! What a user declares: relations that are fed and views that are kept.

use arrow::datatypes::SchemaRef;

/// How the rows of a relation change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelationKind {
    /// Rows only ever come. The engine keeps none of them, and operators above rely on it.
    Append,
    /// Rows come with weight +1 and go with weight −1; a row that goes must be equal to one that came.
    Changes,
    /// A row replaces the earlier one with the same key; weight −1 deletes by key (the other columns of
    /// such a row are not read). The engine keeps the current rows.
    Upsert {
        /// Names of the key columns.
        key: Vec<String>,
    },
}

/// A table that is fed from outside.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Name used in SQL, lower case.
    pub name: String,
    /// Columns of every batch fed to it.
    pub schema: SchemaRef,
    /// How its rows change.
    pub kind: RelationKind,
}

/// A SQL query whose result is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewDefinition {
    /// Name used in SQL by later views, lower case.
    pub name: String,
    /// One `select`, over relations and earlier views.
    pub sql: String,
    /// Output columns that identify a row; empty when rows may repeat.
    pub key: Vec<String>,
    /// Whether the engine keeps the rows for [`crate::Engine::snapshot`]; without, only changes come out.
    pub materialize: bool,
}
