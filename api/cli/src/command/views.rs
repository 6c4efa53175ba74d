//! `millrace views …`: one file a verb.

pub mod define;
pub mod drop;
pub mod explain;
pub mod list;
pub mod sql;
pub mod test;
pub mod trial;
pub mod why;

use anyhow::Result;

use crate::args::{Output, Views};
use crate::config::Settings;
use crate::operator::Operator;

/// What is asked of a running system.
///
/// # Errors
/// When the system can't be asked or has no such view.
pub async fn run(settings: &Settings, command: &Views, output: Output) -> Result<()> {
    let operator = || Operator::of(&settings.data_dir);
    match command {
        Views::List => list::run(&operator()?, output).await,
        Views::Explain { name } => explain::run(&operator()?, name, output).await,
        Views::Sql { name } => sql::run(&operator()?, name).await,
        Views::Why(row) => why::run(&operator()?, row, output).await,
        Views::Test { names, folder } => test::run(names, folder.as_deref()).await,
        Views::Create(view) => define::create(&operator()?, view, output).await,
        Views::Replace(view) => define::replace(&operator()?, view, output).await,
        Views::Drop { name } => drop::run(&operator()?, name, output).await,
        Views::Try(view) => trial::run(view, output).await,
    }
}
