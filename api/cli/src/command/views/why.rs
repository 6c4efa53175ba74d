//! `millrace views why`.

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use crate::args::{Output, WhyRow};
use crate::command::say;
use crate::operator::Operator;
use crate::output::because::Because;

/// # Errors
/// When the system can't be asked, or has no such view or row.
pub async fn run(operator: &Operator, row: &WhyRow, output: Output) -> Result<()> {
    let mut query = Serializer::new(String::new());
    for (column, value) in key(operator, row).await? {
        query.append_pair(&column, &value);
    }
    query.append_pair("limit", &row.limit.to_string());
    let path = format!("/api/v1/views/{}/why?{}", row.name, query.finish());
    let mut because: Because = operator.get(&path).await?;
    if because.rows.is_empty() {
        let position = because.position.unwrap_or_default();
        bail!("{} has no row with this key, as of position {position}", row.name);
    }
    if !row.deep {
        because.inputs.retain(|input| input.reader == row.name);
    }
    say(&because.text(output, row.deep)?)
}

/// Columns and values; values alone stand for the columns of the view's key, in order.
async fn key(operator: &Operator, row: &WhyRow) -> Result<Vec<(String, String)>> {
    if row.key.iter().all(|term| term.contains('=')) {
        let pairs = row.key.iter().filter_map(|term| term.split_once('='));
        return Ok(pairs.map(|(column, value)| (column.to_owned(), value.to_owned())).collect());
    }
    let views: Value = operator.get("/api/v1/views").await?;
    let mut all = views["views"].as_array().into_iter().flatten();
    let view = all.find(|view| view["name"] == row.name.as_str());
    let columns = view.and_then(|view| view["key"].as_array()).into_iter().flatten();
    let columns: Vec<String> = columns.filter_map(Value::as_str).map(str::to_owned).collect();
    ensure!(
        columns.len() == row.key.len(),
        "{} has the key {}: give a value for each in this order, or write --key COLUMN=VALUE",
        row.name,
        columns.join(", ")
    );
    Ok(columns.into_iter().zip(row.key.iter().cloned()).collect())
}
