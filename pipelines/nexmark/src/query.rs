//! The queries, in the standard meaning. Every order is total, so that each has one right answer.

/// A query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// `q0` to `q22`.
    pub name: &'static str,
    /// One `select` over `person`, `auction`, `bid` and `side_input`, in DataFusion's dialect.
    pub sql: &'static str,
}

macro_rules! queries {
    ($($name:literal),*) => {
        [$(Query { name: $name, sql: include_str!(concat!("../queries/", $name, ".sql")) }),*]
    };
}

/// All queries, in their usual order.
pub const QUERIES: [Query; 20] = queries![
    "q0", "q1", "q2", "q3", "q4", "q5", "q7", "q8", "q9", "q11", "q13", "q14", "q15", "q16", "q17",
    "q18", "q19", "q20", "q21", "q22"
];

/// The query called `name`.
pub fn find(name: &str) -> Option<Query> {
    QUERIES.into_iter().find(|query| query.name == name)
}
