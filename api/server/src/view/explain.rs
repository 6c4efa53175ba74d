//! `GET /api/v1/views/{name}/explain`

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use millrace_engine::OperatorReport;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, GatewayState};

#[derive(Serialize, ToSchema)]
pub(super) struct Explained {
    view: String,
    /// The operators as a tree, each with its class, rows, state bytes and time.
    text: String,
    /// Bytes that its operators and its rows take; a shared operator counts whole.
    state_bytes: usize,
    /// The same one by one, each behind those it reads.
    operators: Vec<Operator>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ViewOperator)]
struct Operator {
    id: usize,
    /// The operators it reads.
    inputs: Vec<usize>,
    description: String,
    /// How it is kept true: `linear`, `additive aggregate`, `bilinear`…
    class: &'static str,
    /// Views that use it.
    shared_by: usize,
    rows_in: u64,
    rows_out: u64,
    state_rows: usize,
    state_bytes: usize,
    /// Epochs in which it had something to do, since the system started; the times are of these.
    epochs: u64,
    mean_us: u64,
    worst_us: u64,
    /// Why it runs its query again with each change, where it does.
    recomputes: Option<String>,
    /// Why it stopped, if it did.
    failure: Option<String>,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The operators below `report`, each once.
fn collect(report: &OperatorReport, operators: &mut Vec<Operator>) {
    if operators.iter().any(|known| known.id == report.id) {
        return;
    }
    report.inputs.iter().for_each(|input| collect(input, operators));
    let time = report.time.unwrap_or_default();
    operators.push(Operator {
        id: report.id,
        inputs: report.inputs.iter().map(|input| input.id).collect(),
        description: report.description.clone(),
        class: report.class,
        shared_by: report.shared_by,
        rows_in: report.rows_in,
        rows_out: report.rows_out,
        state_rows: report.state_rows,
        state_bytes: report.state_bytes,
        epochs: time.epochs,
        mean_us: micros(time.mean()),
        worst_us: micros(time.worst),
        recomputes: report.recomputes.clone(),
        failure: report.failure.clone(),
    });
}

/// Explain a view
#[utoipa::path(
    get,
    path = "/api/v1/views/{name}/explain",
    tag = "Views",
    params(("name" = String, Path)),
    responses((status = 200, description = "How the view is kept true, and what that costs", body = Explained))
)]
pub(super) async fn explain(
    State(gateway): State<GatewayState>,
    Path(name): Path<String>,
) -> Result<Json<Explained>, Error> {
    let explain = gateway.require_pipeline()?.explain(&name).await?;
    let mut operators = Vec::new();
    collect(&explain.root, &mut operators);
    let (text, state_bytes) = (explain.to_string(), explain.state_bytes());
    Ok(Json(Explained { view: name, text, state_bytes, operators }))
}
