//! `GET /api/v1/views`

use std::sync::Arc;

use axum::extract::{Query as Pairs, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use millrace_kernel::Actor;
use millrace_views::{Mart, Serve, View};
use serde::Serialize;
use utoipa::ToSchema;

use super::definition::Definition;
use super::kind;
use super::query::Query;
use crate::{Error, GatewayState};

#[derive(Serialize, ToSchema)]
pub(super) struct Views {
    views: Vec<Listed>,
    /// Views that were defined while the system ran, those that are not there yet included.
    definitions: Vec<Definition>,
}

/// A view and what is known about it.
#[derive(Serialize, ToSchema)]
#[schema(as = View)]
struct Listed {
    name: String,
    title: String,
    /// What one row is.
    grain: String,
    /// The columns that tell rows apart.
    key: Vec<String>,
    /// `live`: read here and followed; `none`: an intermediate step.
    #[schema(value_type = String)]
    serve: Serve,
    /// What the ClickHouse table of this name holds: `current` rows, `history`, or there is `none`.
    #[schema(value_type = String)]
    mart: Mart,
    /// Whether it was defined while the system ran.
    is_defined: bool,
    columns: Vec<Column>,
    /// Every event up to here is included.
    position: u64,
    /// Rows held; null where none are, and for somebody who doesn't see all of them.
    rows: Option<usize>,
    sql: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ViewColumn)]
struct Column {
    name: String,
    /// `text`, `integer`, `decimal(18,2)`, `date`, `timestamp`, `boolean` …
    r#type: String,
    nullable: bool,
}

/// List the views
#[utoipa::path(
    get,
    path = "/api/v1/views",
    tag = "views",
    operation_id = "list_views",
    params(("wait_for" = Option<String>, Query, description = "Wait until the write that answered this token is included")),
    responses((status = 200, description = "Every view, each behind those it reads", body = Views))
)]
pub(super) async fn list(
    State(gateway): State<GatewayState>,
    Extension(actor): Extension<Arc<Actor>>,
    Pairs(pairs): Pairs<Vec<(String, String)>>,
    headers: HeaderMap,
) -> Result<Json<Views>, Error> {
    let pipeline = gateway.require_pipeline()?;
    let query = Query::read(pairs, &headers)?;
    query.wait(pipeline, gateway.options().wait_timeout).await?;
    let position = pipeline.published()?.position.0;
    let listed = |view: &Arc<View>| {
        let sees_all = actor.shop_scope().is_none();
        let rows = if view.serve == Serve::Live && sees_all {
            // None of a view that has stopped.
            pipeline.snapshot(&view.name).ok().map(|view| view.snapshot.num_rows())
        } else {
            None
        };
        describe(view, position, rows)
    };
    let views = pipeline.views().iter().map(listed).collect();
    let definitions = pipeline.definitions().into_iter().map(Definition::from).collect();
    Ok(Json(Views { views, definitions }))
}

fn describe(view: &View, position: u64, rows: Option<usize>) -> Listed {
    let columns = view.schema.fields().iter().map(|field| Column {
        name: field.name().clone(),
        r#type: kind::name(field.data_type()),
        nullable: field.is_nullable(),
    });
    Listed {
        name: view.name.clone(),
        title: view.title.clone(),
        grain: view.grain.clone(),
        key: view.key.clone(),
        serve: view.serve,
        mart: view.mart,
        is_defined: view.is_defined(),
        columns: columns.collect(),
        position,
        rows,
        sql: view.sql.clone(),
    }
}
