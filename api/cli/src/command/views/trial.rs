//! `millrace views try`.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions};
use millrace_oracle::{End, Order, Outcome, Table, Trial, session, sorted};

use crate::args::{Output, TableFile, TryView, is_name};
use crate::command::say;
use crate::output::batch;
use crate::output::because::Because;

/// Rows shown of each table that rows come from.
const WHY_ROWS_MAX: usize = 1000;

/// # Errors
/// Bad input, by name; with `--verify`, a view that is not what batch SQL answers.
pub async fn run(view: &TryView, output: Output) -> Result<()> {
    ensure!(
        output != Output::Parquet || view.out.is_some() || !io::stdout().is_terminal(),
        "Parquet is not for a terminal: name a file with --out, or send stdout elsewhere"
    );
    let path = view.sql.display();
    let sql = fs::read_to_string(&view.sql).with_context(|| format!("reading the view {path}"))?;
    for key in &view.keys {
        let count = view.keys.iter().filter(|other| other.table == key.table).count();
        ensure!(count == 1, "--keys names the table {} {count} times", key.table);
        let is_given = view.tables.iter().any(|table| table.name == key.table);
        ensure!(is_given, "--keys names the table {}, which no --table gives", key.table);
    }
    let mut tables = Vec::new();
    for file in &view.tables {
        let key = view.keys.iter().find(|key| key.table == file.name);
        tables.push(read(file, key.map_or(&[], |key| &key.columns)).await?);
    }
    let name = view.sql.file_stem().map(|stem| stem.to_string_lossy().to_lowercase());
    let trial = Trial {
        name: name.filter(|name| is_name(name)).unwrap_or_else(|| "view".to_owned()),
        tables,
        views: Vec::new(),
        sql,
        epochs: view.epochs as usize,
        churn: view.churn,
        seed: view.seed,
        verify: view.verify,
        strict: view.strict,
    };
    let outcome = trial.run().await.with_context(|| format!("trying {path}"))?;
    tell(&trial, &outcome)?;
    if !view.why.is_empty() {
        return explain(&trial, view, output);
    }
    let rows = sorted(&outcome.schema, &outcome.rows, &outcome.order)?;
    let bytes = batch::encode(&rows, output)?;
    match &view.out {
        Some(file) => {
            fs::write(file, bytes).with_context(|| format!("writing {}", file.display()))?
        }
        None => io::stdout().lock().write_all(&bytes)?,
    }
    if let End::Undecided { epoch } = outcome.end {
        bail!(
            "{path} could not be compared: from epoch {epoch} on, batch SQL itself gives differing answers \
             when the rows come in another order; order by columns that leave no ties"
        );
    }
    Ok(())
}

/// Prints the rows asked for and what they come from.
fn explain(trial: &Trial, view: &TryView, output: Output) -> Result<()> {
    let because = trial.why(&view.why)?;
    ensure!(because.rows.num_rows() > 0, "no row of the view has these values");
    let text = Because::of(&trial.name, &because, WHY_ROWS_MAX)?.text(output, true)?;
    match &view.out {
        Some(file) => fs::write(file, text).with_context(|| format!("writing {}", file.display())),
        None => say(&text),
    }
}

/// A file as a table.
async fn read(table: &TableFile, key: &[String]) -> Result<Table> {
    let path = table.file.display();
    let place = || format!("reading the table {} from {path}", table.name);
    let metadata = fs::metadata(&table.file).with_context(place)?;
    ensure!(metadata.is_file(), "{}: it is not a file", place());
    ensure!(metadata.len() > 0, "{}: it is empty, without even the names of columns", place());
    let ending = table.file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let file = full_path(&table.file)?;
    let session = session();
    let rows = match ending.to_lowercase().as_str() {
        "parquet" => {
            let options = ParquetReadOptions::default().file_extension(ending);
            session.read_parquet(file, options).await
        }
        "csv" => session.read_csv(file, CsvReadOptions::new().file_extension(ending)).await,
        _ => bail!("{}: what is in it is told by its ending, .parquet or .csv", place()),
    };
    let rows = rows.with_context(place)?;
    let schema = Arc::clone(rows.schema().inner());
    let batches = rows.collect().await.with_context(place)?;
    Table::new(&table.name, schema, &batches, key).with_context(place)
}

/// A path that can't be taken for a pattern or an address.
fn full_path(file: &Path) -> Result<String> {
    let full = fs::canonicalize(file)?;
    let address = url::Url::from_file_path(&full);
    Ok(address.map_err(|()| anyhow!("{} is no path", full.display()))?.into())
}

/// What is worth knowing besides the rows, on stderr.
fn tell(trial: &Trial, outcome: &Outcome) -> Result<()> {
    let (epochs, seed) = (trial.epochs, trial.seed);
    eprintln!(
        "tried in {epochs} epochs with seed {seed}: {} rows fed, {} rows of the view came or went",
        outcome.rows_fed, outcome.rows_changed
    );
    for (operator, reason) in outcome.recomputed() {
        eprintln!("computed again with every change: {operator}, because {reason}");
    }
    if matches!(outcome.order, Order::Hidden) {
        eprintln!("printed by value: the columns it is ordered by are not part of the answer");
    }
    match &outcome.end {
        End::Unverified | End::Undecided { .. } => {}
        End::Same => eprintln!("verified: equal to batch SQL after each of {epochs} epochs"),
        End::Admissible(_) => eprintln!(
            "verified: after each of {epochs} epochs one of the answers SQL allows here, not always the one \
             batch SQL gives"
        ),
        End::BothFailed { epoch, view, .. } => bail!(
            "the view stopped in epoch {epoch}, seed {seed}, and batch SQL fails there too: {view}\n\
             Rows that are put right later hold values of other rows until then; --churn 0 feeds none of those."
        ),
        End::Different(difference) => bail!("the view differs from batch SQL: {difference}"),
    }
    Ok(())
}
