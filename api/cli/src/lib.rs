//! The command line: every role of Millrace is this program started with another argument.
//!
//! For: putting the crates together into a running [`System`], and telling people about it. Not for:
//! anything the system does by itself.
//!
//! In: arguments, settings. Out: data on stdout, everything else on stderr, an exit code: 0 when all
//! is well, 1 when something failed, 2 when the arguments are wrong, 3 when the doctor found a
//! violated invariant.

pub mod args;
pub mod bench;
mod command;
mod config;
mod feed;
mod folders;
mod operator;
mod output;
mod system;

use std::process::ExitCode;

use anyhow::Result;
use args::{Cli, Command, Views};
use clap::CommandFactory;

pub use config::Settings;
pub use operator::Operator;
pub use system::System;

/// Exit code when something failed.
pub const FAILED: u8 = 1;
/// Exit code when the doctor found a violated invariant.
pub const VIOLATED: u8 = 3;

/// Does what was typed.
///
/// # Errors
/// Why it could not be done.
pub async fn run(cli: Cli) -> Result<ExitCode> {
    let Cli { common, command } = cli;
    let settings = || Settings::load(common.config.as_deref(), common.data_dir.as_deref());
    match command {
        Command::Up(up) => command::up::run(settings()?, &up).await?,
        Command::Demo(demo) => command::demo::run(settings()?, &demo).await?,
        Command::Migrate => command::migrate::run(settings()?).await?,
        Command::Views(Views::Try(view)) => {
            command::views::trial::run(&view, common.output).await?
        }
        Command::Views(Views::Test { names, folder }) => {
            command::views::test::run(&names, folder.as_deref()).await?
        }
        Command::Views(views) => command::views::run(&settings()?, &views, common.output).await?,
        Command::DeadLetters(letters) => {
            command::dead_letters::run(&settings()?, &letters, common.output).await?;
        }
        Command::Relay(relay) => command::relay::run(settings()?, &relay, common.output).await?,
        Command::Doctor => return command::doctor::run(&settings()?, common.output).await,
        Command::Bench(bench) => bench::run(bench, common.output).await?,
        Command::Config => command::say(Settings::defaults())?,
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "millrace", &mut std::io::stdout());
        }
    }
    Ok(ExitCode::SUCCESS)
}
