//! `millrace views list`.

use anyhow::Result;
use serde_json::Value;

use crate::args::Output;
use crate::operator::Operator;
use crate::output::Rows;

/// # Errors
/// When the system can't be asked.
pub async fn run(operator: &Operator, output: Output) -> Result<()> {
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
