//! Who asks: one user, one password, in each of the ways ClickHouse takes them.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::failure::{Failure, code};

/// The user that may ask.
#[derive(Debug, Clone)]
pub(super) struct Account {
    /// Name.
    pub user: String,
    /// Password.
    pub password: SecretString,
}

impl Account {
    /// Checks the credentials of a request: `X-ClickHouse-User` and `-Key`, basic authentication, or
    /// the parameters `user` and `password`.
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        user: Option<&str>,
        password: Option<&str>,
    ) -> Result<(), Failure> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let basic = header(AUTHORIZATION.as_str()).and_then(basic);
        let (user, password) = match (header("x-clickhouse-user"), basic) {
            (Some(user), _) => {
                (user.to_owned(), header("x-clickhouse-key").unwrap_or_default().to_owned())
            }
            (None, Some(pair)) => pair,
            (None, None) => {
                (user.unwrap_or("default").to_owned(), password.unwrap_or_default().to_owned())
            }
        };
        // Digests of equal length: the time taken tells nothing about the password.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        let is_password = digest(&password) == digest(self.password.expose_secret());
        if user == self.user && is_password {
            return Ok(());
        }
        let reason = format!(
            "{user}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)"
        );
        Err(Failure::new(code::AUTHENTICATION_FAILED, reason))
    }
}

fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_the_right_pair_is_let_in_by_each_way() {
        let account = Account { user: "millrace".into(), password: "right".into() };
        let with = |pairs: &[(&'static str, String)]| {
            let pairs = pairs.iter().map(|(name, value)| {
                (name.parse().unwrap(), HeaderValue::from_str(value).unwrap())
            });
            pairs.collect::<HeaderMap>()
        };
        let basic = |pair: &str| {
            with(&[("authorization", format!("Basic {}", BASE64_STANDARD.encode(pair)))])
        };
        let own = |user: &str, key: &str| {
            with(&[("x-clickhouse-user", user.into()), ("x-clickhouse-key", key.into())])
        };
        assert!(account.check(&basic("millrace:right"), None, None).is_ok());
        assert!(account.check(&own("millrace", "right"), None, None).is_ok());
        assert!(account.check(&HeaderMap::new(), Some("millrace"), Some("right")).is_ok());

        assert!(account.check(&HeaderMap::new(), None, None).is_err());
        assert!(account.check(&HeaderMap::new(), None, Some("right")).is_err());
        assert!(account.check(&basic("millrace:wrong"), None, None).is_err());
        assert!(account.check(&own("millrace", ""), Some("millrace"), Some("right")).is_err());
        assert!(account.check(&basic("default:right"), None, None).is_err());
    }
}
