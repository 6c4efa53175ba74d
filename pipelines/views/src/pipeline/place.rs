//! How far a stream has been told.

use std::fmt;
use std::str::FromStr;

use millrace_events::Position;

/// How far a stream has been told: what a client sends back to go on. A position means the same rows
/// within one life of the database only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPlace {
    pub position: Position,
    pub incarnation: u32,
}

/// `<position>`, and after restores of the database `<position>.<incarnation>`.
impl fmt::Display for StreamPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.incarnation {
            1 => self.position.fmt(formatter),
            later => write!(formatter, "{}.{later}", self.position),
        }
    }
}

impl FromStr for StreamPlace {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (position, incarnation) = text.split_once('.').unwrap_or((text, "1"));
        Ok(Self { position: Position(position.parse()?), incarnation: incarnation.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (incarnation, text) in [(1, "17"), (2, "17.2")] {
            let place = StreamPlace { position: Position(17), incarnation };
            assert_eq!((place.to_string().as_str(), text.parse()), (text, Ok(place)));
        }
        for text in ["", "-1", "17.", "17.x", "x"] {
            assert!(text.parse::<StreamPlace>().is_err(), "{text}");
        }
    }
}
