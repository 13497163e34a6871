//! `portwatch audit`: what was changed by whom.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use portwatch_store::Store;
use portwatch_store::access::AuditEntry;
use serde::Serialize;

use crate::listing::{Format, Table, line, time};
use crate::state::StateArguments;

/// Show what was changed by whom
///
/// In the console and on the command line: users, tokens, switches, approvals, acknowledgements,
/// silences, channels, deliveries sent again, scans that were asked for. The newest last.
#[derive(clap::Args)]
pub struct Arguments {
    /// How many at the most
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    actor: &'a str,
    action: &'a str,
    about: &'a str,
    detail: &'a str,
}

/// Puts on record what a command has changed.
pub async fn note(store: &Store, by: &str, action: &str, about: &str, detail: &str) -> Result<()> {
    let entry = AuditEntry {
        at: Timestamp::now(),
        actor: by.to_owned(),
        action: action.to_owned(),
        about: about.to_owned(),
        detail: detail.to_owned(),
    };
    Ok(store.note(entry).await?)
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let mut entries = store.audit(arguments.limit).await?;
    entries.reverse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Table if entries.is_empty() => writeln!(out, "nothing was changed")?,
        Format::Table => {
            let mut table = Table::new(&["TIME", "WHO", "WHAT", "OF", "HOW"]);
            for entry in &entries {
                table.row([
                    time(entry.at),
                    entry.actor.clone(),
                    entry.action.clone(),
                    entry.about.clone(),
                    entry.detail.clone(),
                ]);
            }
            table.print(&mut out)?;
        }
        Format::Ndjson => {
            for entry in &entries {
                let object = Line {
                    at: entry.at,
                    actor: &entry.actor,
                    action: &entry.action,
                    about: &entry.about,
                    detail: &entry.detail,
                };
                line(&mut out, &object)?;
            }
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
