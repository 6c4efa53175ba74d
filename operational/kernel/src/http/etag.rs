//! Versions of rows as entity tags, so that no update is lost.

use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, IF_MATCH};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};

use crate::{Error, Result};

/// The version a change is meant for; none for any (`*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IfMatch(pub Option<i64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let header = parts.headers.get(IF_MATCH).ok_or(Error::VersionNeeded)?;
        let text = header.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text.trim_start_matches("W/").trim_matches('"').parse();
        version
            .map(|version| Self(Some(version)))
            .map_err(|_| Error::field("If-Match", "invalid", "must be the ETag of a read, or *"))
    }
}

/// The header of a row's version.
#[must_use]
pub fn etag(version: i64) -> [(HeaderName, HeaderValue); 1] {
    let value = HeaderValue::from_str(&format!("\"{version}\"")).expect("digits in quotes");
    [(ETAG, value)]
}
