//! The session an .slt file runs in, and the tables it makes there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use arrow::compute::concat_batches;
use datafusion::catalog::TableProvider;
use datafusion::common::{Constraint, TableReference};
use datafusion::datasource::TableType;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::{DFParser, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use millrace_oracle::Table;

use super::standins;

/// What a statement may take.
const STATEMENT_MAX: Duration = Duration::from_secs(20);
/// Rows taken of a table: any rows will do.
const ROWS_MAX: usize = 500;

/// What a query reads, as a trial needs it.
#[derive(Default)]
pub struct Inputs {
    pub tables: Vec<Table>,
    pub views: Vec<(String, String)>,
}

/// Why a query has no such inputs.
#[derive(Debug)]
pub enum Unfit {
    /// It is not about tables that change.
    OutOfScope(String),
    /// The engine can't be told of its tables.
    Skipped(String),
}

pub struct Session {
    context: SessionContext,
    package: PathBuf,
    standins: PathBuf,
    scratch: tempfile::TempDir,
    tables: HashMap<String, Table>,
    /// Tables that could not be made, with the reason.
    lost: HashMap<String, String>,
}

impl Session {
    pub fn new(package: &Path, standins: &Path) -> Result<Self> {
        let config = SessionConfig::new().with_target_partitions(4).with_information_schema(false);
        Ok(Self {
            context: SessionContext::new_with_config(config),
            package: package.to_owned(),
            standins: standins.to_owned(),
            scratch: tempfile::tempdir()?,
            tables: HashMap::new(),
            lost: HashMap::new(),
        })
    }

    /// SQL whose paths are where the files are.
    fn placed(&self, sql: &str) -> String {
        let folder = |path: &Path| format!("{}/", path.display());
        let mut sql = sql.replace("test_files/scratch/", &folder(self.scratch.path()));
        for (place, ours) in standins::PLACES {
            let ours = self.standins.join(ours);
            sql = sql.replace(&format!("'{place}"), &format!("'{}", ours.display()));
        }
        sql.replace("'data/", &format!("'{}", folder(&self.package.join("data"))))
    }

    /// Runs a statement for what it does.
    pub async fn run(&mut self, sql: &str) {
        self.tables.clear();
        let sql = self.placed(sql);
        let outcome = tokio::time::timeout(STATEMENT_MAX, async {
            self.context.sql(&sql).await?.collect().await
        });
        let reason = match outcome.await {
            Ok(Ok(_)) => return,
            Ok(Err(error)) => error.strip_backtrace(),
            Err(_) => "it takes too long".to_owned(),
        };
        for name in made_by(&sql) {
            self.lost.insert(name, head(&reason));
        }
    }

    /// The tables a query reads, with their rows.
    pub async fn inputs(&mut self, sql: &str) -> Result<Inputs, Unfit> {
        let mut inputs = Inputs::default();
        self.add(sql, &mut inputs).await?;
        if inputs.tables.is_empty() {
            return Err(Unfit::OutOfScope("reads no table".to_owned()));
        }
        match inputs.tables.iter().any(|table| table.num_rows() > 0) {
            true => Ok(inputs),
            false => Err(Unfit::OutOfScope("its tables are empty".to_owned())),
        }
    }

    async fn add(&mut self, sql: &str, inputs: &mut Inputs) -> Result<(), Unfit> {
        let references = millrace_oracle::referenced_tables(sql).map_err(|error| {
            Unfit::OutOfScope(format!("does not parse: {}", head(&error.to_string())))
        })?;
        for reference in references {
            let name = reference.table().to_owned();
            let is_known = inputs.tables.iter().any(|table| table.name() == name)
                || inputs.views.iter().any(|(view, _)| *view == name);
            if is_known {
                continue;
            }
            if reference.schema() == Some("information_schema") {
                return Err(Unfit::OutOfScope("reads the information schema".to_owned()));
            }
            let provider = match self.context.table_provider(reference.clone()).await {
                Ok(provider) => provider,
                Err(_) if self.context.table_function(&name).is_ok() => continue,
                Err(_) => return Err(self.missing(&name)),
            };
            let is_plain = reference.schema().is_none_or(|schema| schema == "public")
                && !name.is_empty()
                && !name.chars().any(char::is_uppercase);
            if provider.table_type() == TableType::View {
                let Some(query) = provider.get_table_definition().and_then(query_of) else {
                    return Err(Unfit::OutOfScope("reads a view that has no SQL".to_owned()));
                };
                Box::pin(self.add(&query, inputs)).await?;
                inputs.views.push((name.clone(), query));
            } else {
                let table = self.table(&reference, provider).await.map_err(|error| {
                    Unfit::OutOfScope(format!(
                        "its table can't be read: {}",
                        head(&format!("{error:#}"))
                    ))
                })?;
                inputs.tables.push(table);
            }
            if !is_plain {
                return Err(Unfit::Skipped(
                    "a table's name in capitals or of another schema".to_owned(),
                ));
            }
        }
        Ok(())
    }

    fn missing(&self, name: &str) -> Unfit {
        Unfit::OutOfScope(match self.lost.get(name) {
            Some(reason) => format!("its table could not be made: {reason}"),
            None => "reads a table that the file does not make".to_owned(),
        })
    }

    async fn table(
        &mut self,
        reference: &TableReference,
        provider: Arc<dyn TableProvider>,
    ) -> Result<Table> {
        let name = reference.to_string();
        if let Some(table) = self.tables.get(&name) {
            return Ok(table.clone());
        }
        let keys = provider.constraints().into_iter().flat_map(|constraints| constraints.iter());
        let key = keys.into_iter().find_map(|constraint| match constraint {
            Constraint::PrimaryKey(columns) => Some(columns.clone()),
            Constraint::Unique(_) => None,
        });
        let schema = provider.schema();
        let rows = self.context.read_table(provider)?.limit(0, Some(ROWS_MAX))?.collect();
        let rows =
            tokio::time::timeout(STATEMENT_MAX, rows).await.context("it takes too long")??;
        let rows = concat_batches(&schema, &rows)?;
        let key: Vec<String> =
            key.iter().flatten().map(|column| schema.field(*column).name().clone()).collect();
        let table = |key| {
            Table::new(reference.table(), Arc::clone(&schema), std::slice::from_ref(&rows), key)
        };
        // A primary key is not enforced: where rows repeat it, it is none.
        let table = table(&key).or_else(|_| table(&[]))?;
        self.tables.insert(name, table.clone());
        Ok(table)
    }
}

/// The tables that a statement would have made.
fn made_by(sql: &str) -> Vec<String> {
    let statements = DFParser::parse_sql(sql).unwrap_or_default();
    let made = statements.into_iter().filter_map(|statement| match statement {
        Statement::CreateExternalTable(table) => table.name.0.last().map(ToString::to_string),
        Statement::Statement(statement) => match *statement {
            SqlStatement::CreateTable(table) => table.name.0.last().map(ToString::to_string),
            SqlStatement::CreateView(view) => view.name.0.last().map(ToString::to_string),
            _ => None,
        },
        _ => None,
    });
    made.collect()
}

/// The query of a `create view`.
fn query_of(definition: &str) -> Option<String> {
    let Statement::Statement(statement) = DFParser::parse_sql(definition).ok()?.pop_front()? else {
        return None;
    };
    let SqlStatement::CreateView(view) = *statement else { return None };
    let columns: Vec<String> = view.columns.iter().map(|column| column.name.to_string()).collect();
    Some(match columns.is_empty() {
        true => view.query.to_string(),
        false => format!("select * from ({}) as renamed({})", view.query, columns.join(", ")),
    })
}

/// Whether a statement is a query, or something run for what it does that says how many rows it wrote.
pub fn is_select(sql: &str) -> Result<bool> {
    let mut statements = DFParser::parse_sql(sql)?;
    match statements.pop_front().context("a statement")? {
        _ if !statements.is_empty() => bail!("several statements"),
        Statement::Statement(statement) => match *statement {
            SqlStatement::Query(_) => Ok(true),
            SqlStatement::Insert(_)
            | SqlStatement::Update(_)
            | SqlStatement::Delete(_)
            | SqlStatement::CreateTable(_)
            | SqlStatement::CreateView(_) => Ok(false),
            _ => Err(anyhow!("not a select")),
        },
        Statement::CopyTo(_) | Statement::CreateExternalTable(_) => Ok(false),
        _ => Err(anyhow!("not a select")),
    }
}

/// A message up to its first name or value, so that alike ones count together.
pub fn head(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let words = line.split(['\'', '"', '`', '(', ',']).next().unwrap_or_default();
    let words = words.split("file://").next().unwrap_or_default();
    let words = words.split(':').take(2).collect::<Vec<_>>().join(":");
    words.trim().chars().take(60).collect()
}

/// The beginning of a message, without what differs from query to query.
pub fn short(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    line.chars().take(110).collect()
}
