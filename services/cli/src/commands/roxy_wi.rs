//! `portwatch roxy-wi`: what Roxy-WI says, and what becomes of it.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use portwatch_scheduler::RoxyWi;
use portwatch_scheduler::roxy_wi::{Difference, Look};
use serde::Serialize;

use crate::listing::{Format, Table, counted, line};
use crate::printable::printable;
use crate::settings::Settings;
use crate::state::StateArguments;

/// Watch what Roxy-WI lists
///
/// With `scheduler.roxy_wi` in the settings the scheduler reads its servers every minute.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    Sync(Sync),
}

/// Read Roxy-WI now, and say what changes
///
/// Reads its groups, servers and switches, and makes the targets that follow from them, as the scheduler
/// does every minute. If anything cannot be read, nothing changes. Ends with 1 if a server cannot be
/// watched as it is.
#[derive(clap::Args)]
struct Sync {
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// One target that changes, or one server that cannot be watched.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Target {
        becomes: &'static str,
        target: &'a str,
        group: &'a str,
        what: &'a [String],
    },
    Refused {
        refused: &'a str,
    },
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let Command::Sync(arguments) = arguments.command;
    let roxy_wi = configured(&arguments.state.settings()?)?;
    let store = arguments.state.open().await?;
    let look = if arguments.dry_run {
        roxy_wi.look(&store).await?
    } else {
        roxy_wi.sync(&store).await?
    };
    print(&look, arguments.format, arguments.dry_run)?;
    Ok(ExitCode::from(u8::from(!look.refused.is_empty())))
}

/// The Roxy-WI of the settings.
pub fn configured(settings: &Settings) -> Result<RoxyWi> {
    match RoxyWi::configured(&settings.scheduler)? {
        Some(roxy_wi) => Ok(roxy_wi),
        None => bail!(
            "scheduler.roxy_wi.url is not set: name the settings file with --config (ops/roxy-wi.md says how to begin)"
        ),
    }
}

fn print(look: &Look, format: Format, is_dry_run: bool) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match format {
        Format::Ndjson => {
            for difference in &look.differences {
                line(&mut out, &object(difference))?;
            }
            for refused in &look.refused {
                line(&mut out, &Line::Refused { refused })?;
            }
        }
        Format::Table => {
            if !look.differences.is_empty() {
                let mut table = Table::new(&["", "TARGET", "GROUP", "WHAT"]);
                for difference in &look.differences {
                    table.row([
                        difference.becomes.as_str().to_owned(),
                        difference.target.clone(),
                        difference.group.clone(),
                        difference.what.join("; "),
                    ]);
                }
                table.print(&mut out)?;
            }
            for refused in &look.refused {
                writeln!(out, "cannot be watched: {}", printable(refused))?;
            }
            let targets = counted(look.targets as u64, "target");
            let (changed, would) = (
                look.differences.len(),
                if is_dry_run {
                    "would change"
                } else {
                    "changed"
                },
            );
            writeln!(out, "{targets} by Roxy-WI's list; {changed} {would}")?;
        }
    }
    out.flush()?;
    Ok(())
}

fn object(difference: &Difference) -> Line<'_> {
    Line::Target {
        becomes: difference.becomes.as_str(),
        target: &difference.target,
        group: &difference.group,
        what: &difference.what,
    }
}
