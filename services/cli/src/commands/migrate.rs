//! `portwatch migrate`.

use std::process::ExitCode;

use anyhow::Result;
use portwatch_store::postgres;

use crate::settings::ConfigArgument;

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
    if report.from == report.to {
        println!("the database is up to date (schema version {})", report.to);
    } else {
        println!(
            "the database went from schema version {} to {}",
            report.from, report.to
        );
    }
    Ok(ExitCode::SUCCESS)
}
