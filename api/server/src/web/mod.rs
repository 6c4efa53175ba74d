//! The web app: `api/web/out`, a static export, embedded in the binary.

mod resolve;

use axum::body::Body;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use resolve::Resolved;

/// Next.js names these files after their content.
const IMMUTABLE_FOLDER: &str = "_next/static/";
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Kept by the browser, but asked for again (304 by ETag) so that an upgrade shows at once.
const REVALIDATED: HeaderValue = HeaderValue::from_static("no-cache");
/// The export carries inline scripts that hydrate its pages; nothing comes from another host.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'",
);
const NOT_BUILT: &str = include_str!("not_built.html");
const NOT_FOUND: &str = include_str!("not_found.html");

#[derive(RustEmbed)]
#[folder = "../web/out"]
#[allow_missing = true]
struct Exported;

/// A page or a file of the web app for a path that no API route took.
pub(crate) fn serve(uri: &Uri, headers: &HeaderMap) -> Response {
    match resolve::resolve(uri.path(), |path| Exported::get(path).is_some()) {
        Resolved::File(path) => match Exported::get(&path) {
            Some(file) => answer(&path, file, StatusCode::OK, headers),
            None => page(StatusCode::NOT_FOUND, NOT_FOUND),
        },
        Resolved::Missing if !wants_page(headers) => StatusCode::NOT_FOUND.into_response(),
        Resolved::Missing => match Exported::get("404.html") {
            Some(file) => answer("404.html", file, StatusCode::NOT_FOUND, headers),
            None if Exported::get("index.html").is_none() => {
                page(StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT)
            }
            None => page(StatusCode::NOT_FOUND, NOT_FOUND),
        },
    }
}

fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_none_or(|accept| accept.contains("text/html") || accept.contains("*/*"))
}

fn answer(path: &str, file: EmbeddedFile, status: StatusCode, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", short_hash(&file));
    let is_known =
        headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|known| {
            known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag)
        });
    let mut response = if is_known && status == StatusCode::OK {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let body = match file.data {
            std::borrow::Cow::Borrowed(bytes) => Body::from(bytes),
            std::borrow::Cow::Owned(bytes) => Body::from(bytes),
        };
        (status, body).into_response()
    };
    let cache = if path.starts_with(IMMUTABLE_FOLDER) { IMMUTABLE } else { REVALIDATED };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, cache);
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, value);
    }
    if let Ok(value) = HeaderValue::from_str(file.metadata.mimetype()) {
        headers.insert(CONTENT_TYPE, value);
    }
    guarded(response)
}

pub(crate) fn page(status: StatusCode, html: &'static str) -> Response {
    let kind = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    guarded((status, kind, html).into_response())
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn short_hash(file: &EmbeddedFile) -> String {
    hex::encode(&file.metadata.sha256_hash()[..12])
}
