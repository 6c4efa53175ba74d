//! What is wrong with a view's text, shown as a compiler shows it.

mod place;
mod read;
mod similar;
mod text;

pub use place::Place;
pub use read::planning;
pub(crate) use read::two_columns;
pub(crate) use similar::closest;
pub(crate) use text::Text;

use std::fmt;

/// What is wrong with a definition, where in its text, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What is defined, such as `view daily_sales`.
    pub subject: String,
    /// What is wrong, in one line.
    pub problem: String,
    /// Where, if that is known.
    pub place: Option<Place>,
    /// What to write instead, if that is known.
    pub help: Option<String>,
}

impl Fault {
    pub(crate) fn of_view(view: &str, problem: impl Into<String>, place: Option<Place>) -> Self {
        Self { subject: format!("view {view}"), problem: problem.into(), place, help: None }
    }

    /// The view, where it is one.
    pub fn view(&self) -> Option<&str> {
        self.subject.strip_prefix("view ")
    }

    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The same in one line, without the excerpt.
    pub fn brief(&self) -> String {
        match &self.help {
            Some(help) => format!("{}; {help}", self.head()),
            None => self.head(),
        }
    }

    fn head(&self) -> String {
        match &self.place {
            Some(place) => format!("{}, {place}: {}", self.subject, self.problem),
            None => format!("{}: {}", self.subject, self.problem),
        }
    }
}

/// One line where no place is known, else the line of the text with the place marked.
impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else { return formatter.write_str(&self.brief()) };
        formatter.write_str(&self.head())?;
        let margin = " ".repeat(place.line.to_string().len());
        let (text, mark) = place.excerpt();
        write!(formatter, "\n{margin} |\n{} | {text}\n{margin} | {mark}", place.line)?;
        match &self.help {
            Some(help) => write!(formatter, "\n{margin} = {help}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_marked_in_its_line() {
        let place =
            Place { line: 12, column: 9, length: 5, text: "select\tamont from sales".into() };
        let place = Place { column: 8, ..place };
        let fault =
            Fault::of_view("v", "no column \"amont\"", Some(place)).with_help("write amount");
        let expected = "view v, line 12, column 8: no column \"amont\"\n   |\n12 | select\tamont from sales\n   \
                        |       \t^^^^^\n   = write amount";
        assert_eq!(fault.to_string(), expected);
        assert_eq!(fault.brief(), "view v, line 12, column 8: no column \"amont\"; write amount");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}wrong{}", "a, ".repeat(100), ", b".repeat(100));
        let place = Place { line: 1, column: 301, length: 5, text };
        let (text, mark) = place.excerpt();
        assert!(text.chars().count() <= 102, "{text}");
        let at = mark.find('^').expect("a mark");
        let marked: String = text.chars().skip(at).take(5).collect();
        assert_eq!((marked.as_str(), mark.trim_start()), ("wrong", "^^^^^"));
    }
}
