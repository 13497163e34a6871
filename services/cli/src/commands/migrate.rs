//! `portwatch migrate`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use portwatch_store::postgres;

use crate::settings::ConfigArgument;

/// Bring the PostgreSQL tables up to date
///
/// Brings the tables in PostgreSQL up to date. Run it before a new version's services start; running
/// it again changes nothing. (`portwatch up` does this by itself for its own file.)
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings = arguments.config.load()?;
    let report = postgres::migrate(&settings.store.postgres()?).await?;
    let (from, to) = (report.from, report.to);
    if from == to {
        writeln!(
            io::stdout(),
            "the database is up to date (schema version {to})"
        )?;
    } else {
        writeln!(
            io::stdout(),
            "the database went from schema version {from} to {to}"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
