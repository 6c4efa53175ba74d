//! A place in a view's text.

use std::fmt;

/// What is shown of a long line, in characters.
const SHOWN_MAX: usize = 100;

/// A place in a view's text. Lines and columns count from 1, in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its line.
    pub line: usize,
    /// Where in the line it begins.
    pub column: usize,
    /// How many characters of the line it takes, at least 1.
    pub length: usize,
    /// The whole line.
    pub text: String,
}

impl Place {
    /// A place that begins at `start` and ends before `end`, both (line, column) of `sql`; only its first
    /// line counts.
    pub(crate) fn of(sql: &str, start: (u64, u64), end: (u64, u64)) -> Option<Self> {
        let line = usize::try_from(start.0).ok().filter(|line| *line > 0)?;
        let column = usize::try_from(start.1).ok().filter(|column| *column > 0)?;
        let text = sql.split('\n').nth(line - 1)?.trim_end_matches('\r').to_owned();
        let rest = (text.chars().count() + 1).saturating_sub(column);
        let wide = match end.0 == start.0 {
            true => usize::try_from(end.1.saturating_sub(start.1)).unwrap_or(rest),
            false => rest,
        };
        Some(Self { line, column, length: wide.min(rest).max(1), text })
    }

    /// The line, cut around the place where it is long, and below it the mark.
    pub(super) fn excerpt(&self) -> (String, String) {
        let letters: Vec<char> = self.text.chars().collect();
        let begin = (self.column - 1).min(letters.len());
        let from = match letters.len() > SHOWN_MAX {
            true => begin.saturating_sub(SHOWN_MAX / 2),
            false => 0,
        };
        let to = letters.len().min(from + SHOWN_MAX);
        let shown = |cut: bool| if cut { "…" } else { "" };
        let (left, right) = (shown(from > 0), shown(to < letters.len()));
        let text: String = letters[from..to].iter().collect();
        let indent =
            letters[from..begin].iter().map(|letter| if *letter == '\t' { '\t' } else { ' ' });
        let indent: String = left.chars().map(|_| ' ').chain(indent).collect();
        let length = self.length.min(to.saturating_sub(begin)).max(1);
        (format!("{left}{text}{right}"), format!("{indent}{}", "^".repeat(length)))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}", self.line, self.column)
    }
}
