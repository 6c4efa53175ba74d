//! Writes that nothing in their transaction reads again, collected for one statement at its end.
//!
//! A round trip costs about as much as the rows it writes. A sale moves stock, posts to the journal,
//! writes an invoice, its lines, three events and a key: together they are one statement.
//!
//! Rows come as arrays, one per column, and as `select unnest($1), unnest($2), …`, which gives them
//! one by one; `from unnest($1, $2, …)` would first fill a store in memory for each column.

use std::fmt::Write;

use tokio_postgres::types::ToSql;

/// A value that waits for its statement.
pub(crate) type Value = Box<dyn ToSql + Send + Sync>;

/// Values of one write, for its `$1`, `$2`, ….
#[derive(Debug)]
pub struct Binds<'a>(&'a mut Vec<Value>);

impl Binds<'_> {
    /// The next value.
    #[must_use]
    pub fn bind(self, value: impl ToSql + Send + Sync + 'static) -> Self {
        self.0.push(Box::new(value));
        self
    }
}

#[derive(Debug, Default)]
pub(crate) struct Deferred {
    /// `with w0 as (…), w1 as (…)`.
    sql: String,
    values: Vec<Value>,
    /// Whose tables are written to.
    schemas: Vec<&'static str>,
    writes: usize,
}

impl Deferred {
    pub fn push(
        &mut self,
        schema: &'static str,
        write: &str,
        bind: impl for<'a> FnOnce(Binds<'a>) -> Binds<'a>,
    ) {
        let before = self.values.len();
        bind(Binds(&mut self.values));
        let separator = if self.writes == 0 { "with " } else { ", " };
        write!(self.sql, "{separator}w{} as (", self.writes).expect("a string takes any text");
        renumber(&mut self.sql, write, before);
        self.sql.push(')');
        self.writes += 1;
        if !self.schemas.contains(&schema) {
            self.schemas.push(schema);
        }
    }

    pub fn writes_to(&self, schema: &str) -> bool {
        self.schemas.contains(&schema)
    }

    pub fn is_empty(&self) -> bool {
        self.writes == 0
    }

    /// All of it as one statement, with its values.
    pub fn into_statement(self) -> (String, Vec<Value>) {
        let Self { mut sql, values, .. } = self;
        sql.push_str(" select");
        (sql, values)
    }
}

/// Appends `write` to `sql`, its `$n` as `$(n + by)`.
fn renumber(sql: &mut String, write: &str, by: usize) {
    let mut parts = write.split('$');
    sql.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        let number: usize = part[..digits].parse().expect("a $ begins a parameter");
        write!(sql, "${}{}", number + by, &part[digits..]).expect("a string takes any text");
    }
}

#[cfg(test)]
mod tests {
    use super::Deferred;

    #[test]
    fn writes_become_one_statement() {
        let mut deferred = Deferred::default();
        deferred.push("a", "insert into a.t values ($1, $2::text)", |to| to.bind(1).bind("x"));
        deferred.push("b", "insert into b.t select $2, $1, $1", |to| to.bind(2).bind(3));
        assert_eq!(
            deferred.sql,
            "with w0 as (insert into a.t values ($1, $2::text)), \
             w1 as (insert into b.t select $4, $3, $3)"
        );
        assert!(deferred.writes_to("a") && deferred.writes_to("b") && !deferred.writes_to("c"));
    }
}
