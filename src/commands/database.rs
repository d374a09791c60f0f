//! `jeroboam db`: the records' schema.

use std::process::ExitCode;

use clap::Subcommand;
use conductor::{Config, database};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bring the schema to this version's.
    Upgrade,
    /// Say which migrations are applied and which are pending; exits 1 when any is pending.
    Status,
}

pub(crate) async fn run(config: Config, command: Command) -> anyhow::Result<ExitCode> {
    let db = database::connect(&config).await?;
    if matches!(command, Command::Upgrade) {
        database::migrate(&db).await?;
    }
    let mut code = ExitCode::SUCCESS;
    for step in database::status(&db).await? {
        if !step.applied {
            code = ExitCode::FAILURE;
        }
        let mark = if step.applied { "applied" } else { "pending" };
        super::say(&mut std::io::stdout(), &format!("{mark}  {}\n", step.name));
    }
    Ok(code)
}
