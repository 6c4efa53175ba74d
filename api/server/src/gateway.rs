//! All routes in one router.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRef;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Router, middleware};
use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use millrace_doctor::Doctor;
use millrace_kernel::{Authenticator, Kernel};
use millrace_source::DeadLetters;
use millrace_views::PipelineHandle;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::operation::{Parts, Practice};
use crate::view::Slots;
use crate::{Error, Identity, Options, document, identity, layer, operation, view, web};

/// Everything a request may need. Cheap to clone.
#[derive(Clone)]
pub struct GatewayState(Arc<Inner>);

struct Inner {
    kernel: Kernel,
    identity: Identity,
    pipeline: Option<PipelineHandle>,
    practice: Option<Practice>,
    dead_letters: Option<DeadLetters>,
    metrics: Option<PrometheusHandle>,
    parts: Parts,
    options: Options,
    streams: Slots,
    shutdown: CancellationToken,
}

impl fmt::Debug for GatewayState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayState").field("options", &self.0.options).finish_non_exhaustive()
    }
}

/// What a [`GatewayState`] is made of.
#[derive(Debug)]
pub struct GatewayParts {
    pub kernel: Kernel,
    pub identity: Identity,
    /// None: views are answered 503, commands work.
    pub pipeline: Option<PipelineHandle>,
    /// Examines the system; None: the doctor does not come.
    pub doctor: Option<Doctor>,
    /// What the pipeline could not apply.
    pub dead_letters: Option<DeadLetters>,
    /// Of [`crate::meter::install`].
    pub metrics: Option<PrometheusHandle>,
    pub parts: Parts,
    pub options: Options,
    /// Ends the live streams and [`crate::serve`].
    pub shutdown: CancellationToken,
}

impl GatewayState {
    #[must_use]
    pub fn new(parts: GatewayParts) -> Self {
        let GatewayParts {
            kernel,
            identity,
            pipeline,
            doctor,
            dead_letters,
            metrics,
            parts,
            options,
            shutdown,
        } = parts;
        let streams = Slots::new(options.streams_max, options.streams_per_user_max);
        let inner = Inner {
            kernel,
            identity,
            pipeline,
            practice: doctor.map(Practice::new),
            dead_letters,
            metrics,
            parts,
            options,
            streams,
            shutdown,
        };
        Self(Arc::new(inner))
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        &self.0.kernel
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(crate) fn pipeline(&self) -> Option<&PipelineHandle> {
        self.0.pipeline.as_ref()
    }

    pub(crate) fn require_pipeline(&self) -> Result<&PipelineHandle, Error> {
        self.pipeline().ok_or(Error::PipelineAbsent)
    }

    pub(crate) fn practice(&self) -> Option<&Practice> {
        self.0.practice.as_ref()
    }

    pub(crate) fn dead_letters(&self) -> Option<&DeadLetters> {
        self.0.dead_letters.as_ref()
    }

    pub(crate) fn streams(&self) -> &Slots {
        &self.0.streams
    }

    pub(crate) fn metrics(&self) -> Option<&PrometheusHandle> {
        self.0.metrics.as_ref()
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(crate) fn options(&self) -> &Options {
        &self.0.options
    }

    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.0.shutdown
    }
}

impl FromRef<GatewayState> for Kernel {
    fn from_ref(gateway: &GatewayState) -> Self {
        gateway.kernel().clone()
    }
}

/// The gateway: REST, live streams, login, documents and the web app on one port.
#[derive(Clone, Copy, Debug)]
pub struct Gateway;

impl Gateway {
    /// Every route, wrapped in the layers each request passes.
    ///
    /// # Errors
    /// [`Error::CorsOrigin`]; [`Error::Json`] when the OpenAPI document can't be written.
    pub fn router(gateway: &GatewayState) -> Result<Router, Error> {
        let (routes, document) = routes(gateway).split_for_parts();
        let document = Bytes::from(serde_json::to_vec_pretty(&document::complete(document))?);
        let router = routes
            .merge(operation::probe_routes())
            .route("/openapi.json", get(move || openapi(document.clone())))
            .route("/docs", get(document::reference))
            .fallback(fallback)
            .with_state(gateway.clone());
        layer::apply(router, gateway.options())
    }

    /// The OpenAPI document that `/openapi.json` answers.
    #[must_use]
    pub fn document(gateway: &GatewayState) -> OpenApi {
        document::complete(routes(gateway).into_openapi())
    }
}

fn routes(gateway: &GatewayState) -> OpenApiRouter<GatewayState> {
    let contexts = OpenApiRouter::new()
        .merge(millrace_product::routes())
        .merge(millrace_party::routes())
        .merge(millrace_finance::routes())
        .merge(millrace_inventory::routes())
        .merge(millrace_sales::routes())
        .merge(millrace_purchase::routes())
        .with_state(gateway.kernel().clone());
    let authenticator = gateway.identity().authenticator().clone();
    let guarded = OpenApiRouter::new()
        .merge(contexts)
        .merge(identity::own_routes())
        .merge(operation::status_routes())
        .merge(view::routes())
        .route_layer(middleware::from_fn_with_state(authenticator, Authenticator::authenticate));
    OpenApiRouter::with_openapi(document::describe()).merge(identity::open_routes()).merge(guarded)
}

async fn openapi(document: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], document).into_response()
}

/// Pages of the web app; below `/api` and `/auth` there are none, and a problem says so.
async fn fallback(uri: Uri, headers: HeaderMap) -> Response {
    if layer::is_api(uri.path()) {
        return StatusCode::NOT_FOUND.into_response();
    }
    web::serve(&uri, &headers)
}
