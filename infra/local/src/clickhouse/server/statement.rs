//! Reads just enough of a statement to know where its data begins and in which format it answers.
//! Everything else is the engine's parser's business.

/// What the text of a statement says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Statement<'a> {
    /// Its first word, lower case.
    pub verb: String,
    /// Its `format` clause.
    pub format: Option<FormatClause<'a>>,
    /// It names a file on the client's side (`into outfile`, `from infile`), which HTTP doesn't have.
    pub names_client_file: bool,
    /// It has totals, which are no rows of the result.
    pub has_totals: bool,
}

/// `format Name`, and after it the data of an insert.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FormatClause<'a> {
    /// The format as written.
    pub name: &'a str,
    /// The statement without the clause.
    pub before: &'a [u8],
    /// What follows it: an insert's data, else the rest of the statement.
    pub after: &'a [u8],
}

impl<'a> Statement<'a> {
    /// Scans a statement; of an insert only up to its data, which may be binary.
    pub(super) fn scan(text: &'a [u8]) -> Self {
        let mut statement = Statement::default();
        let mut words = Words { text, at: 0, depth: 0 };
        let mut previous = "";
        let mut pending = words.next();
        while let Some(word) = pending {
            pending = words.next();
            let is = |keyword: &str| word.text.eq_ignore_ascii_case(keyword);
            if statement.verb.is_empty() && word.is_bare() {
                statement.verb = word.text.to_ascii_lowercase();
            }
            let is_insert = statement.verb == "insert";
            let names_something = ["into", "table", "from", "as", "."]
                .iter()
                .any(|k| previous.eq_ignore_ascii_case(k));
            if is("outfile") || is("infile") {
                statement.names_client_file = true;
            } else if is("totals") {
                statement.has_totals = true;
            } else if is_insert && is("values") && !names_something {
                return statement;
            } else if is("format")
                && !names_something
                && let Some(name) = pending
            {
                // `format` is also a function and may be a column: the clause is followed by a name
                // with nothing but white space between.
                let gap = &text[word.at + word.text.len()..name.at];
                if gap.iter().all(u8::is_ascii_whitespace) {
                    let after = &text[name.at + name.text.len()..];
                    statement.format =
                        Some(FormatClause { name: name.text, before: &text[..word.at], after });
                    if is_insert {
                        return statement;
                    }
                }
            }
            previous = word.text;
        }
        statement
    }
}

impl<'a> FormatClause<'a> {
    /// The data of an insert: after blanks and one line break, as ClickHouse cuts it.
    pub(super) fn data(&self) -> &'a [u8] {
        let blanks =
            self.after.iter().take_while(|b| matches!(b, b' ' | b'\t' | 0x0c | b'\r')).count();
        let data = &self.after[blanks..];
        data.strip_prefix(b"\n").unwrap_or(data)
    }
}

#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    at: usize,
}

impl Word<'_> {
    fn is_bare(&self) -> bool {
        self.text.bytes().all(is_word)
    }
}

/// Stands for a string or a quoted name, whatever is in it.
const QUOTED: &str = "''";

/// Words outside parentheses and comments.
struct Words<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        loop {
            let rest = &self.text[self.at..];
            match rest {
                [] => return None,
                [quote @ (b'\'' | b'"' | b'`'), ..] => {
                    let at = self.at;
                    self.at += quoted(rest, *quote);
                    if self.depth == 0 {
                        return Some(Word { text: QUOTED, at });
                    }
                }
                [b'-', b'-', ..] | [b'#', b' ' | b'!', ..] => {
                    self.at += rest.iter().take_while(|b| **b != b'\n').count()
                }
                [b'/', b'*', ..] => {
                    self.at +=
                        rest.windows(2).position(|w| w == b"*/").map_or(rest.len(), |end| end + 2)
                }
                [b'(' | b'[' | b'{', ..] => {
                    self.depth += 1;
                    self.at += 1;
                }
                [b')' | b']' | b'}', ..] => {
                    self.depth = self.depth.saturating_sub(1);
                    self.at += 1;
                }
                [b'.', ..] if self.depth == 0 => {
                    let at = self.at;
                    self.at += 1;
                    return Some(Word { text: ".", at });
                }
                [first, ..] if is_word(*first) => {
                    let at = self.at;
                    let length = rest.iter().take_while(|b| is_word(**b)).count();
                    self.at += length;
                    if self.depth == 0 {
                        let text = std::str::from_utf8(&rest[..length]).expect("words are ASCII");
                        return Some(Word { text, at });
                    }
                }
                _ => self.at += 1,
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Length of a quoted text with both quotes; a backslash or a doubled quote doesn't end it.
fn quoted(text: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b if b == quote && text.get(at + 1) == Some(&quote) => at += 2,
            b if b == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(sql: &str) -> Option<&str> {
        Statement::scan(sql.as_bytes()).format.map(|f| f.name)
    }

    #[test]
    fn the_format_of_a_select() {
        assert_eq!(format("select 1"), None);
        assert_eq!(format("select 1 format JSON"), Some("JSON"));
        assert_eq!(format("SELECT 1\nFORMAT Native SETTINGS max_threads = 1;"), Some("Native"));
        assert_eq!(format("select format('{} format TSV', 'x')"), None);
        assert_eq!(format("select 1 -- format JSON\n/* format CSV */"), None);
        assert_eq!(format("select 'it''s \\' format JSON' as `a format CSV`"), None);
        assert_eq!(format("select (select 1 format JSON)"), None);
        assert_eq!(format("select * from format FORMAT CSV"), Some("CSV"));
        assert_eq!(format("select t.format x from t"), None);
    }

    #[test]
    fn the_data_of_an_insert() {
        let data = |sql: &'static str| {
            let statement = Statement::scan(sql.as_bytes());
            statement.format.map(|f| (f.name, std::str::from_utf8(f.before).unwrap(), f.data()))
        };
        let expected = ("RowBinary", "insert into t (a) ", "\n\x07".as_bytes());
        assert_eq!(data("insert into t (a) FORMAT RowBinary\n\n\x07"), Some(expected));
        let expected = ("JSONEachRow", "INSERT INTO t ", "{\"format\": \"CSV\"}".as_bytes());
        assert_eq!(data("INSERT INTO t format JSONEachRow {\"format\": \"CSV\"}"), Some(expected));
        assert_eq!(data("insert into t values ('format CSV'), (1) format CSV"), None);
        assert_eq!(
            data("insert into format format CSV 1").map(|d| (d.0, d.1)),
            Some(("CSV", "insert into format "))
        );
        assert_eq!(data("insert into values format CSV 1").map(|d| d.0), Some("CSV"));
        assert_eq!(data("insert into `a`.`b` (c) format CSV 1").map(|d| d.0), Some("CSV"));
        assert_eq!(data("insert into \"format CSV\" format TSV 1").map(|d| d.0), Some("TSV"));
        assert_eq!(data("insert into t (a)"), None);
    }

    #[test]
    fn client_files_and_totals_are_seen() {
        assert!(Statement::scan(b"select 1 into outfile 'x'").names_client_file);
        assert!(Statement::scan(b"insert into t from infile 'x' format CSV").names_client_file);
        assert!(!Statement::scan(b"select 'into outfile'").names_client_file);
        assert!(Statement::scan(b"select a, count() from t group by a with totals").has_totals);
        assert_eq!(Statement::scan(b" /* x */ (select 1)").verb, "");
        assert_eq!(Statement::scan(b"-- x\nWith 1 as a select a").verb, "with");
    }
}
