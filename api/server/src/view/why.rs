//! `GET /api/v1/views/{name}/why`

use std::sync::Arc;

use arrow::array::RecordBatch;
use axum::Extension;
use axum::extract::{Path, Query as Pairs, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use millrace_kernel::{Actor, Problem};
use millrace_views::Reason;
use serde::Serialize;

use super::filter::column_index;
use super::page::Window;
use super::query::Query;
use super::read::blocking;
use super::{POSITION_HEADER, rows, scope};
use crate::{Error, GatewayState};

/// How the value that is none is written.
const NULL: &str = "null";

/// The answer without its rows.
#[derive(Serialize)]
struct Head<'a> {
    view: &'a str,
    position: u64,
    as_of: Option<DateTime<Utc>>,
    columns: Vec<String>,
}

/// An input without its rows.
#[derive(Serialize)]
struct Input {
    name: String,
    reader: String,
    is_view: bool,
    columns: Vec<String>,
    caveats: Vec<String>,
    total: usize,
}

/// Explain a row
///
/// The row of a view and the rows it comes from: of the events and views it reads, and of those that these
/// read. They are found by reading the log, which takes a while; one row is looked into at a time. Any other
/// parameter is a column and its value; all of the view's key must be named, and `null` stands for no value.
/// Rows of shops that are not the caller's are left out.
#[utoipa::path(
    get,
    path = "/api/v1/views/{name}/why",
    tag = "views",
    operation_id = "explain_row",
    params(
        ("name" = String, Path, description = "Name of a view with `serve: live`"),
        ("limit" = Option<usize>, Query, description = "Rows given of each input: 1 to 1000, 100 when left out"),
        ("wait_for" = Option<String>, Query, description = "Wait until the write that answered this token is included"),
        ("at_least" = Option<u64>, Query, description = "Wait until this position is included"),
    ),
    responses(
        (status = 200, description = "The row, none where no row has the key, and what it comes from", body = Why,
            headers(("millrace-position" = u64, description = "The position"))),
        (status = 400, description = "`key_incomplete`, `column_unknown`, `value_unreadable`, `out_of_range`, `parameter_unreadable`", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "`shop_forbidden`, `forbidden`", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "`unknown_view`, `view_not_served`", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`events_too_many`: too much may be behind the row", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "`busy`: another row is being looked into", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn why(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
    Path(name): Path<String>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let pipeline = gateway.require_pipeline()?;
    let query = Query::read(pairs, &headers)?;
    let view = Arc::clone(pipeline.registry().get(&name)?);
    let (without, with): (Vec<_>, Vec<_>) =
        query.columns.iter().cloned().partition(|(_, value)| value == NULL);
    for (column, _) in &without {
        column_index(&view.name, &view.schema, column)?;
    }
    let filter = scope::filter(&actor, &view, &view.schema, &with)?;
    let limit = Window::new(None, query.limit)?.limit;
    query.wait(pipeline, gateway.options().wait_timeout).await?;

    let Reason { position, as_of, because } = pipeline.why(&name, query.columns).await?;
    let body = blocking(move || {
        let own = filter.apply(&because.rows)?;
        let head = Head { view: &view.name, position: position.0, as_of, columns: names(&own) };
        let mut inputs = Vec::new();
        for origin in because.origins.into_iter().filter(|_| own.num_rows() > 0) {
            let all = scope::confine(&actor, &origin.rows)?;
            let input = Input {
                name: origin.name,
                reader: origin.reader,
                is_view: origin.is_view,
                columns: names(&all),
                caveats: origin.caveats,
                total: all.num_rows(),
            };
            let shown = all.slice(0, all.num_rows().min(limit));
            inputs.push(rows::object(&input, &[("rows", rows::array([&shown])?)])?);
        }
        let inputs = [b"[".as_slice(), &inputs.join(&b','), b"]"].concat();
        rows::object(&head, &[("rows", rows::array([&own])?), ("inputs", inputs)])
    })
    .await?;
    let position = [(POSITION_HEADER, position.0.to_string())];
    Ok((position, [(CONTENT_TYPE, "application/json")], body).into_response())
}

fn names(rows: &RecordBatch) -> Vec<String> {
    rows.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// A row of a view and what it comes from.
#[derive(utoipa::ToSchema)]
#[schema(as = RowReason)]
#[expect(dead_code, reason = "describes an answer that is written column by column")]
pub(super) struct Why {
    view: String,
    /// Every event up to here is included, and none after.
    position: u64,
    /// Commit time of the newest event included; null before the first.
    as_of: Option<DateTime<Utc>>,
    /// Columns in their order.
    columns: Vec<String>,
    rows: Vec<serde_json::Map<String, serde_json::Value>>,
    /// What the view reads first, then what those read.
    inputs: Vec<WhyInput>,
}

/// Rows of an event or view that a row comes from.
#[derive(utoipa::ToSchema)]
#[schema(as = RowInput)]
#[expect(dead_code, reason = "describes an answer that is written column by column")]
pub(super) struct WhyInput {
    name: String,
    /// The view whose SQL reads it.
    reader: String,
    is_view: bool,
    /// Columns in their order.
    columns: Vec<String>,
    /// Why there may be more rows, or fewer, than had a part in it; mostly empty.
    caveats: Vec<String>,
    /// Rows there are; not all of them may be given.
    total: usize,
    rows: Vec<serde_json::Map<String, serde_json::Value>>,
}
