//! How much of the year is loaded.

use std::str::FromStr;

/// Which shops and weeks of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The 8 busiest shops, the last 26 weeks.
    Small,
    /// All shops, all weeks.
    Full,
}

impl Scope {
    /// At most this many shops, the busiest first.
    #[must_use]
    pub fn shops_max(self) -> usize {
        match self {
            Self::Small => 8,
            Self::Full => usize::MAX,
        }
    }

    /// The first week of the data set (they count from 1 to 53) that is loaded.
    #[must_use]
    pub fn first_week(self) -> i64 {
        match self {
            Self::Small => 28,
            Self::Full => 1,
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Full => "full",
        }
    }
}

impl FromStr for Scope {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "small" => Ok(Self::Small),
            "full" => Ok(Self::Full),
            other => Err(format!("{other:?} is no size of the demo: write small or full")),
        }
    }
}
