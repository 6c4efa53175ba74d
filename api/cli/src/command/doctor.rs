//! `millrace doctor`.

use std::process::ExitCode;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;

use crate::VIOLATED;
use crate::args::Output;
use crate::config::Settings;
use crate::operator::Operator;
use crate::output::Rows;

#[derive(Deserialize)]
struct Report {
    position: u64,
    findings: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    id: String,
    statement: String,
    examined: String,
    violations: u64,
    rows: Vec<String>,
}

/// Examines the running system; its exit code tells whether all is well.
///
/// # Errors
/// When the system can't be asked.
pub async fn run(settings: &Settings, output: Output) -> Result<ExitCode> {
    let operator = Operator::of(&settings.data_dir)?;
    let status: Value = operator.get("/api/v1/status").await?;
    describe(&status);
    eprintln!("examining; this reads the whole log");
    let report: Report = serde_json::from_value(operator.examine().await?)?;
    let mut rows = Rows::new(&["check", "holds", "examined", "violations", "statement"]);
    for finding in &report.findings {
        let holds = if finding.violations == 0 { "yes" } else { "NO" };
        rows.push(vec![
            finding.id.as_str().into(),
            holds.into(),
            finding.examined.as_str().into(),
            finding.violations.into(),
            finding.statement.as_str().into(),
        ]);
    }
    rows.print(output)?;
    let violated: Vec<&Finding> = report.findings.iter().filter(|f| f.violations > 0).collect();
    for finding in &violated {
        for row in &finding.rows {
            eprintln!("{}: {row}", finding.id);
        }
    }
    if violated.is_empty() {
        eprintln!("all invariants hold at position {}", report.position);
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("hint: {} of the invariants above are violated; the rows are named", violated.len());
    Ok(ExitCode::from(VIOLATED))
}

/// Versions, lag, freshness and parts, as the system tells them.
fn describe(status: &Value) {
    if let Some(fields) = status.as_object() {
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_object()) {
            eprintln!(
                "{name:<20} {}",
                value.as_str().map_or_else(|| value.to_string(), str::to_owned)
            );
        }
    }
    for (part, state) in status["parts"].as_object().into_iter().flatten() {
        let detail = state["detail"].as_str().unwrap_or_default();
        eprintln!("{part:<20} {} {detail}", state["state"].as_str().unwrap_or_default());
    }
}
