//! Writes that nothing in their transaction reads again, collected for one statement at its end.
//!
//! A round trip costs about as much as the rows it writes. A sale moves stock, posts to the journal,
//! writes an invoice, its lines, three events and a key: together they are one statement.
//!
//! Rows come as arrays, one per column, and as `select unnest($1), unnest($2), …`, which gives them
//! one by one; `from unnest($1, $2, …)` would first fill a store in memory for each column.

use std::fmt::Write;

use sqlx::postgres::PgArguments;
use sqlx::{Arguments, AssertSqlSafe, Encode, PgConnection, Postgres, Type};

use crate::Result;

/// Values of one write, for its `$1`, `$2`, ….
#[derive(Debug)]
pub struct Binds<'a>(&'a mut PgArguments);

impl Binds<'_> {
    /// The next value.
    #[must_use]
    pub fn bind<'t, T: Encode<'t, Postgres> + Type<Postgres>>(self, value: T) -> Self {
        self.0.add(value).expect("ids, decimals, dates and texts can always be encoded");
        self
    }
}

#[derive(Debug, Default)]
pub(crate) struct Deferred {
    /// `with w0 as (…), w1 as (…)`.
    sql: String,
    arguments: PgArguments,
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
        let before = self.arguments.len();
        bind(Binds(&mut self.arguments));
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

    /// Does it all, and tells whether there was something to do.
    pub async fn run(self, connection: &mut PgConnection) -> Result<bool> {
        let Self { mut sql, arguments, writes, .. } = self;
        if writes == 0 {
            return Ok(false);
        }
        sql.push_str(" select");
        sqlx::query_with(AssertSqlSafe(sql), arguments).execute(connection).await?;
        Ok(true)
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
