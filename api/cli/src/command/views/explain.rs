//! `millrace views explain`.

use anyhow::{Result, bail};
use serde_json::Value;

use crate::args::Output;
use crate::command::say;
use crate::operator::Operator;
use crate::output::ONLY_TRY;

/// # Errors
/// When the system can't be asked or has no such view.
pub async fn run(operator: &Operator, name: &str, output: Output) -> Result<()> {
    let explain: Value = operator.get(&format!("/api/v1/views/{name}/explain")).await?;
    match output {
        Output::Json => say(&format!("{}\n", serde_json::to_string_pretty(&explain)?)),
        Output::Table | Output::Csv => {
            say(&format!("{}\n", explain["text"].as_str().unwrap_or_default()))
        }
        Output::Parquet => bail!("{ONLY_TRY}"),
    }
}
