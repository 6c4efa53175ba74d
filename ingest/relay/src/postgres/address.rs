//! One PostgreSQL URL, for plain queries and for replication.

use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use pgwire_replication::{ReplicationConfig, TlsConfig};
use secrecy::ExposeSecret;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use url::Url;

use crate::{Error, RelayOptions};

const APPLICATION: &str = "millrace-relay";
/// Text of timestamps has to be the same on both connections.
const SESSION: [(&str, &str); 2] = [("datestyle", "ISO,YMD"), ("timezone", "UTC")];

/// A small pool for questions about slot and outbox; connects when first used.
pub(crate) fn pool(options: &RelayOptions) -> Result<PgPool, Error> {
    let connect = PgConnectOptions::from_str(options.postgres_url.expose_secret())
        .map_err(|error| Error::Address { detail: error.to_string() })?
        .application_name(APPLICATION)
        .options(SESSION);
    Ok(PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(Duration::from_secs(5))
        .connect_lazy_with(connect))
}

/// What the replication connection needs; the LSNs are set by whoever starts it.
pub(crate) fn replication(options: &RelayOptions) -> Result<ReplicationConfig, Error> {
    let wrong = |detail: &str| Error::Address { detail: detail.to_owned() };
    // The parser's own errors could repeat the password.
    let url =
        Url::parse(options.postgres_url.expose_secret()).map_err(|_| wrong("it is not a URL"))?;
    let part = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(String::from)
            .map_err(|_| wrong("user, password and database have to be UTF-8"))
    };
    let tls = url
        .query_pairs()
        .find(|(name, _)| name == "sslmode")
        .is_some_and(|(_, mode)| !matches!(&*mode, "disable" | "allow" | "prefer"));
    if tls {
        return Err(wrong(
            "replication runs without TLS: leave sslmode out and use a private network or a local tunnel",
        ));
    }
    let user = part(url.username())?;
    let database = part(url.path().trim_start_matches('/'))?;
    let host = url
        .query_pairs()
        .find(|(name, _)| name == "host")
        .map(|(_, directory)| directory.into_owned())
        .or_else(|| url.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()))
        .filter(|host| !host.is_empty())
        .ok_or_else(|| wrong("it names no host"))?;
    if user.is_empty() || database.is_empty() {
        return Err(wrong("it has to name user and database"));
    }
    let session: Vec<String> =
        SESSION.iter().map(|(name, value)| format!("-c {name}={value}")).collect();
    Ok(ReplicationConfig::new(
        host,
        user,
        part(url.password().unwrap_or_default())?,
        database,
        options.slot.as_str(),
        options.publication.as_str(),
    )
    .with_port(url.port().unwrap_or(5432))
    .with_tls(TlsConfig::disabled())
    .with_options(session.join(" "))
    .with_application_name(APPLICATION)
    .with_status_interval(Duration::from_secs(1)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn parsed(url: &str) -> Result<ReplicationConfig, Error> {
        let clock = Arc::new(|| chrono::DateTime::UNIX_EPOCH);
        replication(&RelayOptions::new(url.into(), "b:1", "/tmp", clock))
    }

    #[test]
    fn every_part_of_the_url_arrives() {
        let config = parsed("postgres://re%40lay:p%3Aw@db.example:6000/mill").unwrap();
        assert_eq!((config.user.as_str(), config.password.as_str()), ("re@lay", "p:w"));
        assert_eq!((config.host.as_str(), config.port), ("db.example", 6000));
        assert_eq!(config.database, "mill");
    }

    #[test]
    fn a_wrong_url_is_refused_without_repeating_it() {
        for url in [
            "hunter2",
            "postgres://:hunter2@h/d",
            "postgres://u:hunter2@h",
            "postgres://u:hunter2@h/d?sslmode=require",
        ] {
            let refused = parsed(url).unwrap_err();
            assert!(matches!(refused, Error::Address { .. }), "{url}");
            assert!(!refused.chain().contains("hunter2"), "{refused}");
        }
    }
}
