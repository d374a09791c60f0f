//! The one binary: `jeroboam serve` runs everything; `api` and `conductor` run the halves apart.

mod commands;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    commands::run(commands::Arguments::parse()).await
}
