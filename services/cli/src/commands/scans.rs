//! `portwatch scans`: which scans of a target are kept.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use portwatch_store::history::Scan;
use serde::Serialize;

use crate::listing::{Format, NOTHING, Table, line, time};
use crate::state::{self, StateArguments};

/// List the scans of a target, the newest last
///
/// Lists the scans that are kept, by number. portwatch diff compares any two of them.
///
/// KIND says why there was one: slot (its time had come), discovery (its hosts were looked for) and
/// discovered (those that were found), verify (new states had to be confirmed), now (somebody asked),
/// redo (jobs were lost). TOOK is - while jobs are out, and stays so if one was lost.
#[derive(clap::Args)]
pub struct Arguments {
    /// The target's name
    target: String,
    /// The most scans to list: the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// One scan.
#[derive(Serialize)]
struct Line {
    scan: u64,
    kind: &'static str,
    slot: Option<Timestamp>,
    started_at: Timestamp,
    finished_at: Option<Timestamp>,
    hosts_up: Option<u64>,
    open_ports: Option<u64>,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let target = state::target(&store, &arguments.target).await?;
    let mut scans = store.scans(target.id, arguments.limit).await?;
    scans.reverse();
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Ndjson => {
            for scan in &scans {
                line(&mut out, &object(scan))?;
            }
        }
        Format::Table if scans.is_empty() => writeln!(out, "no scans yet")?,
        Format::Table => {
            let mut table = Table::new(&["SCAN", "KIND", "STARTED", "TOOK", "UP", "OPEN"]);
            for scan in &scans {
                table.row(row(scan));
            }
            table.print(&mut out)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn row(scan: &Scan) -> [String; 6] {
    let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
    let took = scan.finished_at.map(|at| {
        let took = at.duration_since(scan.created_at).as_secs_f64();
        format!("{:.1} s", took.max(0.0))
    });
    [
        scan.run.to_string(),
        scan.kind.to_string(),
        time(scan.created_at),
        or_nothing(took),
        or_nothing(scan.summary.map(|summary| summary.hosts_up.to_string())),
        or_nothing(scan.summary.map(|summary| summary.open_ports.to_string())),
    ]
}

fn object(scan: &Scan) -> Line {
    Line {
        scan: scan.run,
        kind: scan.kind.as_str(),
        slot: scan.slot,
        started_at: scan.created_at,
        finished_at: scan.finished_at,
        hosts_up: scan.summary.map(|summary| summary.hosts_up),
        open_ports: scan.summary.map(|summary| summary.open_ports),
    }
}
