//! The records of an .slt file: as much of the format as the files use.

use std::path::Path;

use anyhow::{Context, Result};

/// A statement or a query with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `file:line` of its SQL; for included files `file<included:line`.
    pub place: String,
    pub sql: String,
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Run for what it does.
    Statement,
    /// Gives rows.
    Query,
    /// Must fail.
    Failing,
}

/// The records of a file and the files it includes; `name` is what places are told by.
pub fn records(path: &Path, name: &str) -> Result<Vec<Record>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines: Vec<&str> = text.lines().collect();
    let mut records = Vec::new();
    let mut is_skipped = false;
    let mut at = 0;
    while at < lines.len() {
        let words: Vec<&str> = lines[at].split_whitespace().collect();
        at += 1;
        match words[..] {
            ["include", pattern] => {
                for file in included(path, pattern)? {
                    let part = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                    records.extend(self::records(&file, &format!("{name}<{part}"))?);
                }
            }
            ["halt"] => break,
            ["onlyif", engine] => is_skipped |= engine != "datafusion",
            ["skipif", engine] => is_skipped |= engine == "datafusion",
            ["statement", ..] | ["query", ..] => {
                let first = at;
                while at < lines.len() && !lines[at].trim().is_empty() && lines[at] != "----" {
                    at += 1;
                }
                let sql = lines[first..at].join("\n");
                // What should come out: up to an empty line.
                if lines.get(at).is_some_and(|line| *line == "----") {
                    while at < lines.len() && !lines[at].trim().is_empty() {
                        at += 1;
                    }
                }
                let kind = match (words[0], words.get(1)) {
                    (_, Some(&"error")) => Kind::Failing,
                    ("query", _) => Kind::Query,
                    _ => Kind::Statement,
                };
                if !std::mem::take(&mut is_skipped) {
                    records.push(Record { place: format!("{name}:{}", first + 1), sql, kind });
                }
            }
            _ => {}
        }
    }
    Ok(records)
}

/// The files a pattern with at most one `*` in its last part names.
fn included(path: &Path, pattern: &str) -> Result<Vec<std::path::PathBuf>> {
    let pattern = path.parent().context("a file is in a folder")?.join(pattern);
    let name = pattern.file_name().and_then(|name| name.to_str()).context("a file's name")?;
    let Some((start, end)) = name.split_once('*') else { return Ok(vec![pattern]) };
    let folder = pattern.parent().context("a file is in a folder")?;
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(start) && name.ends_with(end) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[test]
fn records_have_their_places_and_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("part.slt.part", "statement ok\ncreate table t(a int)\n");
    let text = "# about\n\ninclude ./p*.slt.part\n\nquery I rowsort\nselect a\nfrom t\n----\n1\n2\n\n\
                onlyif postgres\nquery I\nselect 1\n----\n1\n\nquery error no such\nselect b from t\n\n\
                statement error\nselect c\n\nhalt\n\nquery I\nselect 2\n";
    write("one.slt", text);
    let records = records(&folder.path().join("one.slt"), "one.slt").unwrap();
    let record =
        |place: &str, sql: &str, kind| Record { place: place.into(), sql: sql.into(), kind };
    let expected = [
        record("one.slt<part.slt.part:2", "create table t(a int)", Kind::Statement),
        record("one.slt:6", "select a\nfrom t", Kind::Query),
        record("one.slt:19", "select b from t", Kind::Failing),
        record("one.slt:22", "select c", Kind::Failing),
    ];
    assert_eq!(records, expected);
}
