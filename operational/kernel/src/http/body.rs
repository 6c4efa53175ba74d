//! JSON bodies, with the path of what can't be read.

use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// A JSON body in, or out.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let content_type =
            request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(is_json) {
            return Err(Error::Malformed { detail: "send Content-Type: application/json".into() });
        }
        let bytes = axum::body::Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Error::Malformed { detail: rejection.body_text() })?;
        parse(&bytes).map(Self)
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value: T = serde_path_to_error::deserialize(&mut deserializer).map_err(refused)?;
    deserializer.end().map_err(|error| Error::Malformed { detail: error.to_string() })?;
    Ok(value)
}

fn refused(error: serde_path_to_error::Error<serde_json::Error>) -> Error {
    let path = error.path().to_string();
    let inner = error.into_inner();
    match inner.classify() {
        serde_json::error::Category::Data => {
            let missing = missing_field(&inner);
            let (code, field) = match missing {
                Some(name) if path == "." => ("required", name),
                Some(name) => ("required", format!("{path}.{name}")),
                None if path == "." => ("invalid", String::new()),
                None => ("invalid", path),
            };
            Error::field(field, code, inner.to_string())
        }
        _ => Error::Malformed { detail: inner.to_string() },
    }
}

/// The field serde says is missing; it is not part of the path.
fn missing_field(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let rest = text.strip_prefix("missing field `")?;
    rest.split_once('`').map(|(name, _)| name.to_owned())
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_string(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => Error::from(error).into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "read by serde only")]
        quantity: i32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "read by serde only")]
        lines: Vec<Line>,
    }

    fn field(json: &str) -> (String, String) {
        match parse::<Body>(json.as_bytes()) {
            Err(Error::Invalid { errors }) => (errors[0].field.clone(), errors[0].code.clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        assert_eq!(
            field(r#"{"lines":[{"quantity":"x"}]}"#),
            ("lines[0].quantity".into(), "invalid".into())
        );
        assert_eq!(field(r#"{"lines":[{}]}"#), ("lines[0].quantity".into(), "required".into()));
        assert_eq!(field("{}"), ("lines".into(), "required".into()));
        let (path, code) = field(r#"{"lines":[{"quantity":1,"price":2}]}"#);
        assert_eq!((path.as_str(), code.as_str()), ("lines[0].price", "invalid"));
        assert!(matches!(parse::<Body>(b"{"), Err(Error::Malformed { .. })));
    }
}
