//! `portwatch diff`: what differs between two scans.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Result, bail};
use portwatch_domain::change::compare::{PortDifference, compare};
use portwatch_domain::ports::service_name;
use portwatch_store::history::Scan;
use serde::Serialize;

use crate::listing::{Format, NOTHING, Table, line, time};
use crate::state::{self, StateArguments};

/// Exit code if they differ.
const DIFFERS: u8 = 1;

/// How many scans are looked through.
const SCANS: u32 = 100_000;

/// Compare two scans of a target
///
/// Tells which ports were open after the one scan and not after the other: new (never open before),
/// reopened, closed, or changed (another service). Without numbers it compares the last two scans of the
/// schedule; with one, that scan and the last. portwatch scans lists the numbers.
///
/// Exit code 0 if they are the same, 1 if they differ, 2 if something was wrong.
#[derive(clap::Args)]
pub struct Arguments {
    /// The target's name
    target: String,
    /// The number of the earlier scan
    first: Option<u64>,
    /// The number of the later scan
    second: Option<u64>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// One port that differs.
#[derive(Serialize)]
struct Line {
    ip: IpAddr,
    port: u16,
    protocol: &'static str,
    difference: &'static str,
    before: &'static str,
    after: &'static str,
    first: u64,
    second: u64,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let target = state::target(&store, &arguments.target).await?;
    if !target.switches.history {
        bail!(
            "keep history is switched off for {}: its scans cannot be compared",
            target.name
        );
    }
    let scans = store.scans(target.id, SCANS).await?;
    let (first, second) = chosen(&arguments, &scans)?;
    // Changes first: what happens between the two reads is then in none of them, or undone in vain.
    let past = store.changes_after(target.id, first.run).await?;
    let hosts = store.hosts(target.id).await?;
    let differences = compare(&hosts, &past, first.run, second.run);
    print(arguments.format, [first, second], &differences)?;
    Ok(if differences.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(DIFFERS)
    })
}

/// The two scans to compare; `scans` has the newest first.
fn chosen<'a>(arguments: &Arguments, scans: &'a [Scan]) -> Result<(&'a Scan, &'a Scan)> {
    let name = &arguments.target;
    let of_number = |run: u64| match scans.iter().find(|scan| scan.run == run) {
        Some(scan) => Ok(scan),
        None => bail!("no scan {run} of {name} is kept (portwatch scans {name} lists them)"),
    };
    let mut whole = scans
        .iter()
        .filter(|scan| scan.finished_at.is_some() && scan.summary.is_some());
    let (first, second) = match (arguments.first, arguments.second) {
        (Some(first), Some(second)) => (of_number(first)?, of_number(second)?),
        (Some(first), None) => (of_number(first)?, whole.next().unwrap_or(of_number(first)?)),
        (None, _) => match (whole.next(), whole.next()) {
            (Some(second), Some(first)) => (first, second),
            _ => bail!("{name} has not been scanned twice yet"),
        },
    };
    if first.run == second.run {
        bail!("no scan of {name} since scan {} is finished yet", first.run);
    }
    if first.run > second.run {
        bail!(
            "scan {} is not before scan {}: name the earlier one first",
            first.run,
            second.run
        );
    }
    Ok((first, second))
}

fn print(format: Format, scans: [&Scan; 2], differences: &[PortDifference]) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let [first, second] = scans;
    match format {
        Format::Ndjson => {
            for found in differences {
                line(&mut out, &object(found, first.run, second.run))?;
            }
        }
        Format::Table => {
            let between = format!(
                "scan {} ({}) and scan {} ({})",
                first.run,
                time(first.created_at),
                second.run,
                time(second.created_at)
            );
            if differences.is_empty() {
                writeln!(out, "{between}: no difference")?;
            } else {
                writeln!(out, "{between}:")?;
                let heads = ["HOST", "PORT", "SERVICE", "DIFFERENCE", "BEFORE", "AFTER"];
                let mut table = Table::new(&heads);
                for found in differences {
                    table.row(row(found));
                }
                table.print(&mut out)?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn row(found: &PortDifference) -> [String; 6] {
    [
        found.ip.to_string(),
        format!("{}/{}", found.port.number, found.port.protocol),
        service_name(found.port).unwrap_or(NOTHING).to_owned(),
        found.difference.to_string(),
        found.before.to_string(),
        found.after.to_string(),
    ]
}

fn object(found: &PortDifference, first: u64, second: u64) -> Line {
    Line {
        ip: found.ip,
        port: found.port.number,
        protocol: found.port.protocol.as_str(),
        difference: found.difference.as_str(),
        before: found.before.as_str(),
        after: found.after.as_str(),
        first,
        second,
    }
}
