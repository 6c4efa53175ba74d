//! A row of a view and what it comes from.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::{Result, bail};
use arrow::array::RecordBatch;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::batch;
use crate::args::Output;

/// Values as they are written: decimals keep their places.
type Row = BTreeMap<String, Box<RawValue>>;

/// What the gateway answers, as far as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub struct Because {
    pub view: String,
    /// All events up to here are included; none where there are no events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    /// What the view reads first, then what those read.
    pub inputs: Vec<Input>,
}

/// Rows of a relation or view that the row comes from.
#[derive(Debug, Serialize, Deserialize)]
pub struct Input {
    pub name: String,
    /// The view whose SQL reads it.
    pub reader: String,
    pub is_view: bool,
    pub columns: Vec<String>,
    pub caveats: Vec<String>,
    /// Rows there are, of which the first are given.
    pub total: usize,
    pub rows: Vec<Row>,
}

impl Because {
    /// What the engine found, with at most `limit` rows of each input.
    ///
    /// # Errors
    /// When JSON has no room for a column's type.
    pub fn of(view: &str, found: &millrace_engine::Because, limit: usize) -> Result<Self> {
        let input = |origin: &millrace_engine::Origin| {
            let total = origin.rows.num_rows();
            Ok(Input {
                name: origin.name.clone(),
                reader: origin.reader.clone(),
                is_view: origin.is_view,
                columns: names(&origin.rows),
                caveats: origin.caveats.clone(),
                total,
                rows: rows(&origin.rows.slice(0, total.min(limit)))?,
            })
        };
        Ok(Self {
            view: view.to_owned(),
            position: None,
            columns: names(&found.rows),
            rows: rows(&found.rows)?,
            inputs: found.origins.iter().map(input).collect::<Result<_>>()?,
        })
    }

    /// As a person or a program wants it. Whether it goes down to the events is said otherwise.
    ///
    /// # Errors
    /// For formats that have no room for it.
    pub fn text(&self, output: Output, is_deep: bool) -> Result<String> {
        match output {
            Output::Json => Ok(serde_json::to_string_pretty(self)? + "\n"),
            Output::Table => self.tables(is_deep),
            Output::Csv | Output::Parquet => {
                bail!("what a row comes from is several tables: write table or json")
            }
        }
    }

    fn tables(&self, is_deep: bool) -> Result<String> {
        let mut text = format!("{}\n{}\n", self.view, table(&self.columns, &self.rows)?);
        for input in &self.inputs {
            let kind = if input.is_view { "view" } else { "relation" };
            let rows = if input.total == 1 { "row" } else { "rows" };
            write!(
                text,
                "\n{} ({kind}, read by {}): {} {rows}",
                input.name, input.reader, input.total
            )?;
            if input.total > input.rows.len() {
                write!(text, ", the first {}", input.rows.len())?;
            }
            text.push('\n');
            for caveat in &input.caveats {
                writeln!(text, "  {caveat}")?;
            }
            if !input.rows.is_empty() {
                writeln!(text, "{}", table(&input.columns, &input.rows)?)?;
            }
        }
        if !is_deep && self.inputs.iter().any(|input| input.is_view) {
            text.push_str("\n--deep goes on to what these come from.\n");
        }
        Ok(text)
    }
}

fn names(rows: &RecordBatch) -> Vec<String> {
    rows.schema().fields().iter().map(|field| field.name().clone()).collect()
}

fn rows(rows: &RecordBatch) -> Result<Vec<Row>> {
    Ok(serde_json::from_slice(&batch::encode(rows, Output::Json)?)?)
}

fn table(columns: &[String], rows: &[Row]) -> Result<String> {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(columns);
    for row in rows {
        let cells = columns.iter().map(|column| cell(row.get(column).map(AsRef::as_ref)));
        table.add_row(cells.collect::<Result<Vec<_>>>()?);
    }
    Ok(table.to_string())
}

/// Text without its quotes, null as nothing, all else as it is written.
fn cell(value: Option<&RawValue>) -> Result<comfy_table::Cell> {
    let written = value.map_or("null", RawValue::get);
    let text = match written.as_bytes().first() {
        Some(b'"') => serde_json::from_str(written)?,
        _ if written == "null" => String::new(),
        _ => written.to_owned(),
    };
    let cell = comfy_table::Cell::new(text);
    let is_number = written.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-');
    Ok(if is_number { cell.set_alignment(comfy_table::CellAlignment::Right) } else { cell })
}
