//! The comment lines at the top of a view's file.

use std::collections::BTreeMap;

use super::{Mart, Serve};
use crate::{Error, Result};

/// What a view's header says.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub title: String,
    pub grain: String,
    /// Columns that tell rows apart; empty when rows may repeat.
    pub key: Vec<String>,
    pub serve: Serve,
    pub mart: Mart,
    /// The columns it names, each with its line.
    pub named: Vec<(usize, String)>,
    /// What a column means, by name.
    pub columns: BTreeMap<String, String>,
    /// Prose behind the named lines.
    pub docs: String,
    /// Names of the lines that are there, but for columns.
    pub given: Vec<String>,
}

impl Header {
    /// # Errors
    /// [`Error::File`] naming the first of `names` that was not given.
    pub fn require(&self, file: &str, names: &[&str]) -> Result<()> {
        let is_missing = |name: &&&str| !self.given.iter().any(|given| given == **name);
        let Some(name) = names.iter().find(is_missing) else { return Ok(()) };
        let problem = format!("the header lacks `-- {name}: …`");
        Err(Error::File { file: file.to_owned(), problem })
    }
}

/// The header of `text` and the SQL behind it.
pub(super) fn parse<'a>(file: &str, text: &'a str) -> Result<(Header, &'a str)> {
    let mut header = Header::default();
    let mut sql_at = 0;
    let mut is_prose = false;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let refused =
            |problem: String| Error::Header { file: file.to_owned(), line: index + 1, problem };
        let Some(comment) = line.strip_prefix("--") else { break };
        sql_at += line.len();
        let comment = comment.trim();
        if comment.is_empty() {
            is_prose = true;
            continue;
        }
        if is_prose {
            header.docs.push_str(if header.docs.is_empty() { "" } else { " " });
            header.docs.push_str(comment);
            continue;
        }
        let (name, value) = comment.split_once(':').ok_or_else(|| {
            refused("expected `-- name: value`; prose follows an empty `--`".into())
        })?;
        let value = value.trim();
        if let Some(column) = name.strip_prefix("column ") {
            header.named.push((index + 1, column.trim().to_owned()));
            header.columns.insert(column.trim().to_owned(), value.to_owned());
            continue;
        }
        if header.given.iter().any(|given| given == name) {
            return Err(refused(format!("`{name}` is given twice")));
        }
        match name {
            "title" => header.title = value.to_owned(),
            "grain" => header.grain = value.to_owned(),
            "key" if value == "none" => {}
            "key" => {
                header.key = value.split(',').map(|column| column.trim().to_owned()).collect();
                header.named.extend(header.key.iter().map(|column| (index + 1, column.clone())));
            }
            "serve" => {
                header.serve = Serve::parse(value)
                    .ok_or_else(|| refused(format!("`serve` is live or none, not {value:?}")))?;
            }
            "mart" => {
                header.mart = Mart::parse(value).ok_or_else(|| {
                    refused(format!("`mart` is current, history or none, not {value:?}"))
                })?;
            }
            _ => {
                return Err(refused(format!(
                    "`{name}` is no header line; there are title, grain, key, serve, mart, column"
                )));
            }
        }
        header.given.push(name.to_owned());
    }
    Ok((header, text[sql_at..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_what_it_lacks_and_what_it_does_not_know() {
        let (header, _) = parse("a.sql", "-- title: A\nselect 1").expect("a header");
        let lacks = header.require("a.sql", &["title", "grain"]).unwrap_err().to_string();
        assert!(lacks.contains("a.sql") && lacks.contains("grain"), "{lacks}");
        let unknown = parse("a.sql", "-- tittle: A\nselect 1").unwrap_err().to_string();
        assert!(unknown.contains("line 1") && unknown.contains("tittle"), "{unknown}");
    }

    #[test]
    fn prose_and_sql_follow_the_named_lines() {
        let text = "-- title: A\n-- grain: g\n-- key: a, b\n-- serve: live\n-- mart: none\n\
                    -- column a: what\n--\n-- one\n-- two\nselect 1\n-- kept\n";
        let (header, sql) = parse("a.sql", text).expect("header");
        assert_eq!(header.key, ["a", "b"]);
        assert_eq!(header.docs, "one two");
        assert_eq!(header.columns["a"], "what");
        assert_eq!(sql, "select 1\n-- kept");
    }
}
