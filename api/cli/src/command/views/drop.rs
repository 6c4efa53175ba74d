//! `millrace views drop`.

use anyhow::Result;
use reqwest::Method;
use serde_json::Value;

use crate::args::Output;
use crate::operator::Operator;
use crate::output::Rows;

/// Returns once the view is gone.
///
/// # Errors
/// When there is no such view, it comes with Millrace, or others read it.
pub async fn run(operator: &Operator, name: &str, output: Output) -> Result<()> {
    let token = operator.write(Method::DELETE, &format!("/api/v1/views/{name}"), None).await?;
    let views: Value = operator.get(&format!("/api/v1/views?wait_for={token}")).await?;
    let mut left = views["definitions"].as_array().into_iter().flatten();
    anyhow::ensure!(
        left.all(|view| view["name"] != name),
        "view {name} is still there: another view that reads it was defined in the same moment"
    );
    let mut rows = Rows::new(&["dropped"]);
    rows.push(vec![name.into()]);
    rows.print(output)
}
