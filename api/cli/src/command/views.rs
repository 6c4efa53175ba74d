//! `millrace views …`.

use anyhow::{Context, Result};
use serde_json::Value;

use super::say;
use crate::args::{Output, Views};
use crate::config::Settings;
use crate::operator::Operator;
use crate::output::Rows;

/// # Errors
/// When the system can't be asked or has no such view.
pub async fn run(settings: &Settings, command: &Views, output: Output) -> Result<()> {
    let operator = Operator::of(&settings.data_dir)?;
    match command {
        Views::List => list(&operator, output).await,
        Views::Explain { name } => {
            let explain: Value = operator.get(&format!("/api/v1/views/{name}/explain")).await?;
            match output {
                Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&explain)?)),
                Output::Table | Output::Csv => {
                    say(&format!("{}\n", explain["text"].as_str().unwrap_or_default()))
                }
            }
        }
        Views::Sql { name } => {
            let views: Value = operator.get("/api/v1/views").await?;
            let view = views["views"]
                .as_array()
                .into_iter()
                .flatten()
                .find(|view| view["name"] == name.as_str());
            let view = view
                .with_context(|| format!("there is no view {name}: see `millrace views list`"))?;
            say(&format!("{}\n", view["sql"].as_str().unwrap_or_default()))
        }
    }
}

async fn list(operator: &Operator, output: Output) -> Result<()> {
    let views: Value = operator.get("/api/v1/views").await?;
    let mut rows = Rows::new(&["name", "serve", "mart", "rows", "position", "key", "grain"]);
    for view in views["views"].as_array().into_iter().flatten() {
        let key = view["key"].as_array().into_iter().flatten().filter_map(Value::as_str);
        rows.push(vec![
            view["name"].clone(),
            view["serve"].clone(),
            view["mart"].clone(),
            view["rows"].clone(),
            view["position"].clone(),
            key.collect::<Vec<_>>().join(", ").into(),
            view["grain"].clone(),
        ]);
    }
    rows.print(output)
}
