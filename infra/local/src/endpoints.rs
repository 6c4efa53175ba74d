//! Where the parts are reached, whoever runs them.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};

use crate::{Error, Result};

const VARIABLE: &str = "MILLRACE_CLICKHOUSE_URL";

/// Addresses and credentials of the three parts.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// `postgres://user:password@host:port/database`; embedded: database and role `millrace`.
    pub postgres_url: SecretString,
    /// `host:port[,host:port]`.
    pub kafka_brokers: String,
    /// `http://host:port`, without credentials.
    pub clickhouse_url: String,
    /// User name for ClickHouse.
    pub clickhouse_user: String,
    /// Its password.
    pub clickhouse_password: SecretString,
}

/// A ClickHouse address taken apart.
#[derive(Debug, Clone)]
pub(crate) struct ClickHouseAddress {
    /// Without credentials.
    pub url: String,
    /// `default` if the URL names none.
    pub user: String,
    /// Empty if the URL names none.
    pub password: SecretString,
}

impl ClickHouseAddress {
    /// Splits `http://user:password@host:port`.
    pub(crate) fn parse(url: &SecretString) -> Result<Self> {
        let unusable = |reason: String| Error::Url { variable: VARIABLE, reason };
        let mut url =
            reqwest::Url::parse(url.expose_secret()).map_err(|e| unusable(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(unusable("it must read http://user:password@host:port (the HTTP interface, usually port 8123)".into()));
        }
        let decode = |text: &str| {
            let pair = format!("http://x/?v={}", text.replace('+', "%2B"));
            let url = reqwest::Url::parse(&pair).ok()?;
            url.query_pairs().next().map(|(_, v)| v.into_owned())
        };
        let user = if url.username().is_empty() {
            "default".to_owned()
        } else {
            decode(url.username()).unwrap_or_default()
        };
        let password = url.password().and_then(decode).unwrap_or_default();
        let bare = url.set_username("").and_then(|()| url.set_password(None));
        bare.map_err(|()| unusable("its credentials cannot be read".into()))?;
        Ok(ClickHouseAddress {
            url: url.as_str().trim_end_matches('/').to_owned(),
            user,
            password: password.into(),
        })
    }

    /// Asks the server something as that user.
    pub(crate) async fn check(&self) -> Result<()> {
        let unusable = |reason| Error::Url { variable: VARIABLE, reason };
        let request = reqwest::Client::new()
            .post(&self.url)
            .header("X-ClickHouse-User", &self.user)
            .header("X-ClickHouse-Key", self.password.expose_secret())
            .timeout(Duration::from_secs(10))
            .body("select 1");
        let answer = request.send().await.map_err(|e| unusable(e.without_url().to_string()))?;
        let text = answer.text().await.map_err(|e| unusable(e.without_url().to_string()))?;
        if text == "1\n" { Ok(()) } else { Err(unusable(text.trim().to_owned())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clickhouse_url_is_taken_apart() {
        let address =
            ClickHouseAddress::parse(&"http://bo%40x:p%2Fw+1@ch.example:8123/".into()).unwrap();
        assert_eq!(address.url, "http://ch.example:8123");
        assert_eq!(address.user, "bo@x");
        assert_eq!(address.password.expose_secret(), "p/w+1");
        let address = ClickHouseAddress::parse(&"http://localhost:8123".into()).unwrap();
        assert_eq!((address.user.as_str(), address.password.expose_secret()), ("default", ""));
    }

    #[test]
    fn an_unusable_url_is_refused_without_its_password() {
        let error = ClickHouseAddress::parse(&"tcp://u:hidden@localhost:9000".into()).unwrap_err();
        assert!(error.to_string().contains("MILLRACE_CLICKHOUSE_URL"), "{error}");
        assert!(!error.to_string().contains("hidden"), "{error}");
    }
}
