//! What a write answers.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use millrace_events::Token;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// Header with the token of a write.
pub const TOKEN_HEADER: HeaderName = HeaderName::from_static("millrace-token");
/// Says that the answer is of an earlier run with the same idempotency key.
const REPLAYED_HEADER: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A command that is committed, and where.
#[derive(Clone, Debug)]
pub struct Done<T> {
    answer: Answer<T>,
    /// A read that has waited for it includes the write.
    pub token: Token,
    status: StatusCode,
}

#[derive(Clone, Debug)]
enum Answer<T> {
    /// With its JSON where that was needed already.
    Fresh(T, Option<String>),
    /// The stored JSON, byte for byte.
    Replayed(String),
}

impl<T> Done<T> {
    pub(crate) fn fresh(output: T, json: Option<String>, token: Token) -> Self {
        Self { answer: Answer::Fresh(output, json), token, status: StatusCode::OK }
    }

    pub(crate) fn replayed(json: String, token: Token) -> Self {
        Self { answer: Answer::Replayed(json), token, status: StatusCode::OK }
    }

    /// Answers 201 instead of 200.
    #[must_use]
    pub fn created(mut self) -> Self {
        self.status = StatusCode::CREATED;
        self
    }

    /// Answers 202: what was asked for takes effect later.
    #[must_use]
    pub fn accepted(mut self) -> Self {
        self.status = StatusCode::ACCEPTED;
        self
    }

    /// What the command gave, unless this is the answer of an earlier run.
    pub fn fresh_output(&self) -> Option<&T> {
        match &self.answer {
            Answer::Fresh(output, _) => Some(output),
            Answer::Replayed(_) => None,
        }
    }

    /// Whether an earlier run with the same idempotency key had done it.
    #[must_use]
    pub fn is_replay(&self) -> bool {
        matches!(self.answer, Answer::Replayed(_))
    }
}

impl<T: DeserializeOwned> Done<T> {
    /// What the command gave.
    ///
    /// # Errors
    /// [`Error::Json`] when a stored answer is of another version and can't be read.
    pub fn output(self) -> Result<T> {
        match self.answer {
            Answer::Fresh(output, _) => Ok(output),
            Answer::Replayed(json) => Ok(serde_json::from_str(&json)?),
        }
    }
}

impl<T: Serialize> IntoResponse for Done<T> {
    fn into_response(self) -> Response {
        let replayed = self.is_replay();
        let json = match self.answer {
            Answer::Fresh(_, Some(json)) | Answer::Replayed(json) => Ok(json),
            Answer::Fresh(output, None) => serde_json::to_string(&output),
        };
        let json = match json {
            Ok(json) => json,
            Err(error) => return Error::from(error).into_response(),
        };
        let token = [(TOKEN_HEADER, self.token.to_string())];
        let content = [(CONTENT_TYPE, "application/json")];
        let replay = replayed.then_some([(REPLAYED_HEADER, "true")]);
        match replay {
            Some(replay) => (self.status, token, content, replay, json).into_response(),
            None => (self.status, token, content, json).into_response(),
        }
    }
}
