//! The `millrace` program.

use std::process::ExitCode;

use clap::Parser;
use millrace_cli::args::Cli;

/// A sale, an epoch and an answer are many small allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match millrace_cli::run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(millrace_cli::FAILED)
        }
    }
}
