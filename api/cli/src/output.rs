//! Results on stdout, as a person or a program wants them.

pub mod batch;
pub mod because;

use std::io::{self, Write};

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use crate::args::Output;

/// What is said where Parquet makes no sense.
pub const ONLY_TRY: &str =
    "--output parquet is for `millrace views try`: write table, json or csv here";

/// Rows of named values.
#[derive(Debug, Default)]
pub struct Rows {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Rows {
    #[must_use]
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// One value per column.
    pub fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.columns.len(), "a row has a value for each column");
        self.rows.push(row);
    }

    /// # Errors
    /// When stdout can't be written.
    pub fn print(&self, output: Output) -> Result<()> {
        let mut out = io::stdout().lock();
        match output {
            Output::Table => writeln!(out, "{}", self.table())?,
            Output::Json => {
                let objects: Vec<Value> = self.rows.iter().map(|row| self.object(row)).collect();
                writeln!(out, "{}", serde_json::to_string_pretty(&objects)?)?;
            }
            Output::Parquet => bail!("{ONLY_TRY}"),
            Output::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(&self.columns)?;
                for row in &self.rows {
                    writer.write_record(row.iter().map(plain))?;
                }
                writer.flush()?;
            }
        }
        Ok(())
    }

    fn object(&self, row: &[Value]) -> Value {
        let fields = self.columns.iter().map(|name| (*name).to_owned()).zip(row.iter().cloned());
        Value::Object(fields.collect::<Map<_, _>>())
    }

    fn table(&self) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(&self.columns);
        for row in &self.rows {
            table.add_row(row.iter().map(|value| {
                let cell = comfy_table::Cell::new(plain(value));
                if value.is_number() {
                    cell.set_alignment(comfy_table::CellAlignment::Right)
                } else {
                    cell
                }
            }));
        }
        table
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
