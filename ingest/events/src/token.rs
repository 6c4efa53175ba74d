//! What a write answers, so that a later read can wait until it is included.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Error, Lsn};

const VERSION: &str = "t1.";

/// An opaque place in PostgreSQL's log at or after a commit. A view whose frontier has passed it
/// includes the write, also when the write appended no event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token(pub Lsn);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}{}", URL_SAFE_NO_PAD.encode(self.0.to_string()))
    }
}

impl FromStr for Token {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Token { value: text.to_owned() };
        let body = text.strip_prefix(VERSION).ok_or_else(refused)?;
        let lsn = URL_SAFE_NO_PAD.decode(body).map_err(|_| refused())?;
        let lsn = std::str::from_utf8(&lsn).map_err(|_| refused())?;
        lsn.parse().map(Self).map_err(|_| refused())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_as_it_went() {
        let token = Token(Lsn(0x16_B374_8000));
        assert_eq!(token.to_string().parse::<Token>().expect("token"), token);
        assert!("t2.x".parse::<Token>().is_err());
        assert!("t1.!!".parse::<Token>().is_err());
    }
}
