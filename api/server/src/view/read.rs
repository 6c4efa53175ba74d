//! `GET /api/v1/views/{name}`

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Query as Pairs, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use millrace_kernel::{Actor, Problem};
use millrace_views::ViewSnapshot;
use serde::Serialize;

use super::page::{Window, cut, sorts};
use super::query::Query;
use super::{POSITION_HEADER, rows, scope};
use crate::{Error, GatewayState};

/// The answer without its rows.
#[derive(Serialize)]
struct Head<'a> {
    view: &'a str,
    position: u64,
    as_of: Option<DateTime<Utc>>,
    epoch: u64,
    total: usize,
}

/// Read a view
///
/// Any other parameter is a column and the value it must have; a column named twice may have either
/// value. Rows of shops that are not the caller's are left out; asking for one is refused.
#[utoipa::path(
    get,
    path = "/api/v1/views/{name}",
    tag = "views",
    operation_id = "read_view",
    params(
        ("name" = String, Path, description = "Name of a view with `serve: live`"),
        ("sort" = Option<String>, Query, description = "`column:asc` or `column:desc`, up to four with commas"),
        ("page" = Option<usize>, Query, description = "From 1"),
        ("limit" = Option<usize>, Query, description = "Rows of a page: 1 to 1000, 100 when left out"),
        ("wait_for" = Option<String>, Query, description = "Wait until the write that answered this token is included"),
        ("at_least" = Option<u64>, Query, description = "Wait until this position is included"),
        ("millrace-wait-for" = Option<String>, Header, description = "As `wait_for`"),
    ),
    responses(
        (status = 200, description = "`{view, position, as_of, epoch, total, rows}`: one page of rows, true at the position", body = Page,
            headers(("millrace-position" = u64, description = "The position"))),
        (status = 400, description = "`column_unknown`, `value_unreadable`, `sort_unreadable`, `out_of_range`, `parameter_unreadable`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`shop_forbidden`, `forbidden`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_view`, `view_not_served`", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`view_changed`, `view_not_filled`", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`view_filling`, `view_stopped`", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "`frontier_timeout`: not included in time", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn read(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
    Path(name): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let pipeline = gateway.require_pipeline()?;
    let query = Query::read(pairs, &headers)?;
    let view = pipeline.view(&name)?;
    let filter = scope::filter(&actor, &view, &view.schema, &query.columns)?;
    let window = Window::new(query.page, query.limit)?;
    let sorts = sorts(&view.name, &view.schema, query.sort.as_deref(), &view.key)?;
    query.wait(pipeline, gateway.options().wait_timeout).await?;

    let taken = pipeline.snapshot(&name)?;
    if taken.view().fingerprint != view.fingerprint {
        return Err(millrace_views::Error::ViewChanged { name }.into());
    }
    let ViewSnapshot { snapshot, epoch, position, as_of, .. } = taken;
    let body = blocking(move || {
        let (page, total) = cut(&view.schema, &snapshot.batches()?, &filter, &sorts, window)?;
        let head = Head { view: &view.name, position: position.0, as_of, epoch, total };
        rows::object(&head, &[("rows", rows::array([&page])?)])
    })
    .await?;
    let position = [(POSITION_HEADER, position.to_string())];
    Ok((position, [(CONTENT_TYPE, "application/json")], body).into_response())
}

/// Runs what takes a core for a while beside the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let span = tracing::Span::current();
    match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
        Ok(done) => done,
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}

/// A page of a view's rows.
#[derive(utoipa::ToSchema)]
#[schema(as = ViewPage)]
#[expect(dead_code, reason = "describes an answer that is written column by column")]
pub(super) struct Page {
    view: String,
    /// Every event up to here is included, and none after.
    position: u64,
    /// Commit time of the newest event included; null before the first.
    as_of: Option<DateTime<Utc>>,
    epoch: u64,
    /// Rows on all pages.
    total: usize,
    /// One object per row, a member per column; decimals are numbers written exactly.
    rows: Vec<serde_json::Map<String, serde_json::Value>>,
}
