//! `millrace views list`.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;

use crate::args::Output;
use crate::operator::Operator;
use crate::output::Rows;

/// # Errors
/// When the system can't be asked.
pub async fn run(operator: &Operator, output: Output) -> Result<()> {
    let views: Value = operator.get("/api/v1/views").await?;
    let definitions = views["definitions"].as_array().into_iter().flatten();
    let mut defined: BTreeMap<&str, &Value> =
        definitions.filter_map(|view| Some((view["name"].as_str()?, view))).collect();
    let mut rows =
        Rows::new(&["name", "state", "serve", "mart", "rows", "position", "key", "grain"]);
    for view in views["views"].as_array().into_iter().flatten() {
        let key = view["key"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let definition = view["name"].as_str().and_then(|name| defined.remove(name));
        rows.push(vec![
            view["name"].clone(),
            definition.map_or_else(|| "live".to_owned(), state).into(),
            view["serve"].clone(),
            view["mart"].clone(),
            view["rows"].clone(),
            view["position"].clone(),
            key.collect::<Vec<_>>().join(", ").into(),
            view["grain"].clone(),
        ]);
    }
    // Those that are not there yet.
    for (name, definition) in defined {
        let mut row = vec![name.into(), state(definition).into()];
        row.resize(8, Value::Null);
        rows.push(row);
    }
    rows.print(output)
}

/// `live`, `filling 43 %`, `failed: …`
pub(super) fn state(definition: &Value) -> String {
    let state = definition["state"].as_str().unwrap_or_default();
    match (&definition["percent"], definition["problem"].as_str()) {
        (Value::Number(percent), _) => format!("{state} {percent} %"),
        (_, Some(problem)) => format!("{state}: {problem}"),
        _ => state.to_owned(),
    }
}
