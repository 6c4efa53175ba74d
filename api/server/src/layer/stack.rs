//! The order of the layers.

use axum::extract::DefaultBodyLimit;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, IF_MATCH};
use axum::http::{HeaderValue, Method};
use axum::{Router, middleware};
use tower_http::CompressionLevel;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::observe::observe;
use super::problem::{documented, panicked, refuse_large, time_out};
use crate::{Error, Options};

/// Wraps the routes; the last layer added is the first a request meets.
///
/// # Errors
/// [`Error::CorsOrigin`] when an allowed origin is no header value.
pub(crate) fn apply(router: Router, options: &Options) -> Result<Router, Error> {
    let router = router
        .layer(DefaultBodyLimit::max(options.body_bytes_max))
        .layer(middleware::from_fn_with_state(options.body_bytes_max, refuse_large))
        .layer(middleware::from_fn_with_state(options.request_timeout, time_out))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(documented))
        // Event streams are left out by its default predicate: each change is sent at once.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest));
    let router = match cors(options)? {
        Some(cors) => router.layer(cors),
        None => router,
    };
    Ok(router.layer(middleware::from_fn(observe)))
}

fn cors(options: &Options) -> Result<Option<CorsLayer>, Error> {
    if options.cors_origins.is_empty() {
        return Ok(None);
    }
    let origins = options
        .cors_origins
        .iter()
        .map(|origin| {
            HeaderValue::from_str(origin).map_err(|_| Error::CorsOrigin { value: origin.clone() })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let own = |name: &'static str| HeaderName::from_static(name);
    Ok(Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
            .allow_headers([
                AUTHORIZATION,
                CONTENT_TYPE,
                IF_MATCH,
                own("idempotency-key"),
                own("last-event-id"),
                own("millrace-wait-for"),
                own("traceparent"),
                own("x-request-id"),
            ])
            .expose_headers([
                ETAG,
                own("millrace-position"),
                own("millrace-token"),
                own("traceparent"),
                own("x-request-id"),
            ]),
    ))
}
