//! `millrace views sql`.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::say;
use crate::operator::Operator;

/// # Errors
/// When the system can't be asked or has no such view.
pub async fn run(operator: &Operator, name: &str) -> Result<()> {
    let views: Value = operator.get("/api/v1/views").await?;
    let mut all = views["views"].as_array().into_iter().flatten();
    let view = all
        .find(|view| view["name"] == name)
        .with_context(|| format!("there is no view {name}: see `millrace views list`"))?;
    say(&format!("{}\n", view["sql"].as_str().unwrap_or_default()))
}
