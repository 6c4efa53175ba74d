//! `millrace dead-letters …`.

use anyhow::Result;
use serde_json::{Value, json};

use crate::args::{DeadLetters, Output};
use crate::config::Settings;
use crate::operator::Operator;
use crate::output::Rows;

/// # Errors
/// When the system can't be asked, or a letter can't be replayed.
pub async fn run(settings: &Settings, command: &DeadLetters, output: Output) -> Result<()> {
    let operator = Operator::of(&settings.data_dir)?;
    match command {
        DeadLetters::List => {
            let letters: Value = operator.get("/api/v1/dead-letters").await?;
            let mut rows =
                Rows::new(&["id", "events", "event_types", "is_replayed", "is_orphaned", "reason"]);
            for letter in letters["dead_letters"].as_array().into_iter().flatten() {
                rows.push(vec![
                    letter["id"].clone(),
                    letter["events"].clone(),
                    letter["event_types"].clone(),
                    letter["is_replayed"].clone(),
                    letter["is_orphaned"].clone(),
                    letter["reason"].clone(),
                ]);
            }
            // No event, so no position: called by its place in the log, and not replayable.
            for message in letters["foreign"].as_array().into_iter().flatten() {
                let part = |name: &str| message[name].to_string();
                let topic = message["topic"].as_str().unwrap_or_default();
                rows.push(vec![
                    format!("{topic}[{}]@{}", part("partition"), part("offset")).into(),
                    0.into(),
                    Value::Null,
                    false.into(),
                    false.into(),
                    message["reason"].clone(),
                ]);
            }
            rows.print(output)
        }
        DeadLetters::Replay { ids } => {
            let answer: Value =
                operator.post("/api/v1/dead-letters/replay", &json!({"ids": ids})).await?;
            let mut rows = Rows::new(&["replayed"]);
            rows.push(vec![answer["replayed"].clone()]);
            rows.print(output)?;
            eprintln!(
                "hint: what still can't be applied comes back with a new id: see `millrace dead-letters list`"
            );
            Ok(())
        }
    }
}
