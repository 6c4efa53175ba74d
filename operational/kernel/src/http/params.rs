//! Addresses and their parameters, refused with a problem that names the parameter.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// The query string, read into a struct.
#[derive(Clone, Debug)]
pub struct Params<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let Query(params) = Query::try_from_uri(&parts.uri)
            .map_err(|rejection| Error::Malformed { detail: rejection.body_text() })?;
        Ok(Self(params))
    }
}

/// The id in the address.
#[derive(Clone, Copy, Debug)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Id<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Path(id) = Path::<T>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Error::field("id", "invalid", rejection.body_text()))?;
        Ok(Self(id))
    }
}
