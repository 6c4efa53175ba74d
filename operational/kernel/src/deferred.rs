//! Writes that nothing in their transaction reads again, collected for one statement at its end.
//!
//! A round trip costs about as much as the rows it writes. A sale moves stock, posts to the journal,
//! writes an invoice, its lines, three events and a key: together they are one statement.
//!
//! One row comes as plain values. Several come as arrays, one per column, and as `select unnest($1),
//! unnest($2), …`, which gives them one by one (`from unnest($1, $2, …)` would first fill a store in
//! memory for each column): the statement is the same for two rows and for a thousand.

use std::fmt::Write;

use bytes::BytesMut;
use postgres_protocol::types::{ArrayDimension, array_to_sql};
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

/// A value that waits for its statement.
pub type Value = Box<dyn ToSql + Send + Sync>;

/// A value that waits for its statement. Those of array and jsonb columns are text.
pub fn value(value: impl ToSql + Send + Sync + 'static) -> Value {
    Box::new(value)
}

/// A column that is written, and its type in SQL.
pub type Column = (&'static str, &'static str);

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

    /// Rows of one table, each with a value for each column.
    pub fn insert(
        &mut self,
        schema: &'static str,
        table: &str,
        columns: &[Column],
        rows: Vec<Vec<Value>>,
    ) {
        let mut write = format!("insert into {schema}.{table} (");
        for (index, (name, _)) in columns.iter().enumerate() {
            write.push_str(if index == 0 { "\"" } else { "\", \"" });
            write.push_str(name);
        }
        write.push_str("\") select ");
        for (index, (_, sql_type)) in columns.iter().enumerate() {
            if index > 0 {
                write.push_str(", ");
            }
            // Arrays in an array can only come as text.
            let is_text = sql_type.ends_with("[]") || *sql_type == "jsonb";
            let comes_as = if is_text { "text" } else { sql_type };
            let n = index + 1;
            match rows.len() {
                1 => write!(write, "${n}::{comes_as}"),
                _ => write!(write, "unnest(${n}::{comes_as}[])"),
            }
            .expect("a string takes any text");
            if is_text {
                write.push_str("::");
                write.push_str(sql_type);
            }
        }
        self.push(schema, &write, |to| {
            if rows.len() == 1 {
                to.0.extend(rows.into_iter().flatten());
            } else {
                let mut cells: Vec<_> = columns.iter().map(|_| Vec::new()).collect();
                for row in rows {
                    for (column, cell) in cells.iter_mut().zip(row) {
                        column.push(cell);
                    }
                }
                to.0.extend(cells.into_iter().map(|cells| value(Cells(cells))));
            }
            to
        });
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

/// One column of several rows: an array.
#[derive(Debug)]
struct Cells(Vec<Value>);

impl ToSql for Cells {
    fn accepts(of: &Type) -> bool {
        matches!(of.kind(), Kind::Array(_))
    }

    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Refused> {
        let Kind::Array(cell_type) = of.kind() else { return Err("not an array".into()) };
        let dimension = ArrayDimension { len: self.0.len().try_into()?, lower_bound: 1 };
        let write = |cell: &Value, out: &mut BytesMut| {
            Ok(match cell.to_sql_checked(cell_type, out)? {
                IsNull::No => postgres_protocol::IsNull::No,
                IsNull::Yes => postgres_protocol::IsNull::Yes,
            })
        };
        array_to_sql([dimension], cell_type.oid(), &self.0, write, out)?;
        Ok(IsNull::No)
    }

    to_sql_checked!();
}

/// Why a value can't be sent.
type Refused = Box<dyn std::error::Error + Sync + Send>;

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
    use super::{Deferred, value};

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
        deferred.insert(
            "c",
            "t",
            &[("k", "uuid"), ("v", "int[]")],
            vec![vec![value(1), value("{}")]],
        );
        assert!(
            deferred.sql.ends_with(
                "w2 as (insert into c.t (\"k\", \"v\") select $5::uuid, $6::text::int[])"
            )
        );
        assert!(deferred.writes_to("a") && deferred.writes_to("b") && !deferred.writes_to("d"));
    }
}
