//! Arrow rows as bytes in the formats of `--output`.

use anyhow::{Context, Result};
use arrow::array::RecordBatch;
use arrow::json::WriterBuilder;
use arrow::json::writer::JsonArray;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use comfy_table::{Cell, CellAlignment, Table, presets};
use parquet::arrow::ArrowWriter;

use crate::args::Output;

/// The rows in their order.
///
/// # Errors
/// When the format has no room for a column's type.
pub fn encode(rows: &RecordBatch, output: Output) -> Result<Vec<u8>> {
    match output {
        Output::Table => table(rows),
        Output::Json => json(rows).context("writing the rows as JSON"),
        Output::Csv => csv(rows).context("writing the rows as CSV"),
        Output::Parquet => parquet(rows).context("writing the rows as Parquet"),
    }
}

fn names(rows: &RecordBatch) -> Vec<String> {
    rows.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// Calls back with each row as text; null is empty.
fn each_row(rows: &RecordBatch, mut row: impl FnMut(Vec<String>) -> Result<()>) -> Result<()> {
    let options = FormatOptions::default().with_display_error(true);
    let columns = rows.columns().iter();
    let columns = columns.map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    (0..rows.num_rows())
        .try_for_each(|at| row(columns.iter().map(|column| column.value(at).to_string()).collect()))
}

fn table(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(names(rows));
    let schema = rows.schema();
    each_row(rows, |row| {
        table.add_row(row.into_iter().zip(schema.fields()).map(|(text, field)| {
            let cell = Cell::new(text);
            match field.data_type().is_numeric() {
                true => cell.set_alignment(CellAlignment::Right),
                false => cell,
            }
        }));
        Ok(())
    })?;
    Ok(format!("{table}\n").into_bytes())
}

fn csv(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(names(rows))?;
    each_row(rows, |row| Ok(writer.write_record(row)?))?;
    Ok(writer.into_inner()?)
}

fn json(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer =
        WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    writer.write(rows)?;
    writer.finish()?;
    let mut bytes = writer.into_inner();
    if bytes.is_empty() {
        bytes.extend_from_slice(b"[]");
    }
    bytes.push(b'\n');
    Ok(bytes)
}

fn parquet(rows: &RecordBatch) -> Result<Vec<u8>> {
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None)?;
    writer.write(rows)?;
    Ok(writer.into_inner()?)
}
