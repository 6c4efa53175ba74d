//! `millrace views create` and `millrace views replace`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use reqwest::Method;
use serde_json::{Value, json};

use super::list::state;
use crate::args::{DefineView, Output};
use crate::operator::Operator;
use crate::output::Rows;

/// Between two looks at a view that is being filled.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// # Errors
/// What is wrong with the definition, or why it could not be filled.
pub async fn create(operator: &Operator, view: &DefineView, output: Output) -> Result<()> {
    let body = json!({"name": view.name, "text": text(view)?});
    let token = operator.write(Method::POST, "/api/v1/views", Some(&body)).await?;
    follow(operator, view, &token, output).await
}

/// # Errors
/// As [`create`].
pub async fn replace(operator: &Operator, view: &DefineView, output: Output) -> Result<()> {
    let path = format!("/api/v1/views/{}", view.name);
    let token = operator.write(Method::PUT, &path, Some(&json!({"text": text(view)?}))).await?;
    follow(operator, view, &token, output).await
}

fn text(view: &DefineView) -> Result<String> {
    fs::read_to_string(&view.file).with_context(|| format!("reading {}", view.file.display()))
}

/// Shows how far the view is until it is live, and then what it holds.
async fn follow(operator: &Operator, view: &DefineView, token: &str, output: Output) -> Result<()> {
    let name = &view.name;
    let path = format!("/api/v1/views/{name}/definition");
    let mut definition: Value = operator.get(&format!("{path}?wait_for={token}")).await?;
    // Drawn on a terminal only.
    let bar = ProgressBar::new(100);
    bar.set_style(ProgressStyle::with_template("{prefix} {wide_bar:.cyan/blue} {pos} %")?);
    bar.set_prefix(format!("filling {name}"));
    while !view.no_wait && matches!(definition["state"].as_str(), Some("filling" | "waiting")) {
        bar.set_position(definition["percent"].as_u64().unwrap_or_default());
        tokio::time::sleep(ASK_AGAIN).await;
        definition = operator.get(&path).await?;
    }
    bar.finish_and_clear();
    if let Some(problem) = definition["problem"].as_str() {
        bail!("view {name} could not be filled: {problem}");
    }
    let mut rows = Rows::new(&["name", "state", "position"]);
    rows.push(vec![
        definition["name"].clone(),
        state(&definition).into(),
        definition["position"].clone(),
    ]);
    rows.print(output)
}
