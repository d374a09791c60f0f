//! The command line.

mod database;
mod labels;
mod render;
mod serve;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use conductor::Config;

/// A container-infra (Magnum API) service that keeps Heat as the engine of infrastructure.
#[derive(Debug, Parser)]
#[command(name = "jeroboam", version)]
pub(crate) struct Arguments {
    /// Configuration file; without it `./jeroboam.toml`, then `/etc/jeroboam/jeroboam.toml`, then no file.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// API and conductor in one process.
    Serve,
    /// The API alone; needs a conductor elsewhere on the same databases.
    Api,
    /// A conductor alone.
    Conductor,
    /// The records' schema.
    Db {
        #[command(subcommand)]
        command: database::Command,
    },
    /// Print every option with its meaning and default.
    Config,
    /// Print the labels that drivers understand: values, defaults, meanings, and what cannot be together.
    Labels {
        /// The driver; without one, all.
        driver: Option<String>,
        /// As a JSON list with every property.
        #[arg(long)]
        json: bool,
    },
    /// Print the stack that a cluster has, or would have, submitted; secrets are masked.
    Render {
        /// The cluster's UUID.
        cluster: String,
    },
    /// Check the configuration, the database, Keystone, Heat and the rights of the service's user.
    Doctor,
}

/// Runs one command; its failure is printed once, with its causes.
pub(crate) async fn run(arguments: Arguments) -> ExitCode {
    match execute(arguments).await {
        Ok(code) => code,
        Err(error) => {
            say(&mut std::io::stderr(), &format!("jeroboam: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn execute(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if matches!(arguments.command, Command::Config) {
        say(&mut std::io::stdout(), conductor::config::DEFAULTS);
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Labels { driver, json } = &arguments.command {
        labels::run(driver.as_deref(), *json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::load(arguments.config.as_deref(), std::env::vars())?;
    match arguments.command {
        Command::Serve => serve::run(config, serve::Halves::Both).await?,
        Command::Api => serve::run(config, serve::Halves::Api).await?,
        Command::Conductor => serve::run(config, serve::Halves::Conductor).await?,
        Command::Db { command } => return database::run(config, command).await,
        Command::Render { cluster } => render::run(config, &cluster).await?,
        Command::Doctor => return doctor(config).await,
        Command::Config | Command::Labels { .. } => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn doctor(config: Config) -> anyhow::Result<ExitCode> {
    let findings = conductor::doctor::examine(config).await.context("the examination could not run")?;
    let mut healthy = true;
    for finding in findings {
        healthy &= finding.ok;
        let mark = if finding.ok { "ok  " } else { "FAIL" };
        say(&mut std::io::stdout(), &format!("{mark}  {}: {}\n", finding.what, finding.text));
    }
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes to a stream; a reader that has gone away is no failure of ours.
fn say(stream: &mut impl Write, text: &str) {
    let _gone = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

/// Starts logging: text on a terminal, JSON lines elsewhere; `JEROBOAM_LOG` filters, as in `info,conductor=debug`.
fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("JEROBOAM_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info,duroxide=error,sqlx=warn,sea_orm_migration=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        builder.init();
    } else {
        builder.json().flatten_event(true).with_current_span(true).with_span_list(false).init();
    }
}
