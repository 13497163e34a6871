//! `portwatch targets`: what is watched, and how it stands.

mod set;

use std::io;
use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use portwatch_store::watch::TargetState;
use serde::Serialize;

use crate::listing::{Format, NOTHING, Table, ago, line, soon, span};
use crate::state::StateArguments;

/// List what is watched, and how it stands
///
/// Lists the targets by name: when each is scanned, when it was and will be, how many hosts are up and
/// ports are open, and what is wrong: ports that are open and should not be (unexpected) or should be
/// and are not (missing), and scans that do not come (overdue).
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

#[derive(clap::Subcommand)]
enum Command {
    Set(set::Arguments),
}

/// One target.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "switches as they are")]
struct Line<'a> {
    id: String,
    target: &'a str,
    group: &'a str,
    zone: &'a str,
    addresses: Vec<String>,
    enabled: bool,
    notify: bool,
    history: bool,
    schedule: String,
    last_scanned: Option<Timestamp>,
    next_due: Timestamp,
    run: u64,
    hosts: u64,
    hosts_up: u64,
    open_ports: u64,
    unexpected_open: u64,
    expected_closed: u64,
    overdue: bool,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    if let Some(Command::Set(arguments)) = arguments.command {
        return set::run(arguments).await;
    }
    let states = arguments.state.open().await?.target_states().await?;
    let now = Timestamp::now();
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Table if states.is_empty() => println!("nothing is watched"),
        Format::Table => {
            let mut table = Table::new(&[
                "TARGET", "GROUP", "ZONE", "SCHEDULE", "SCANNED", "NEXT", "UP", "OPEN", "FINDINGS",
            ]);
            for state in &states {
                table.row(row(state, now));
            }
            table.print(&mut out)?;
        }
        Format::Ndjson => {
            for state in &states {
                line(&mut out, &object(state, now))?;
            }
        }
    }
    io::Write::flush(&mut out)?;
    Ok(ExitCode::SUCCESS)
}

/// A target counts as overdue when the scheduler says so; and when nobody takes its slots, which is when the
/// scheduler itself does not run.
pub fn is_overdue(state: &TargetState, now: Timestamp) -> bool {
    let allowed = state.target.schedule.period(now) * 3;
    let is_left = state
        .next_due_at
        .checked_add(allowed)
        .is_ok_and(|latest| latest < now);
    state.target.switches.enabled && (state.overdue_since.is_some() || is_left)
}

fn object(state: &TargetState, now: Timestamp) -> Line<'_> {
    let target = &state.target;
    Line {
        id: target.id.to_string(),
        target: &target.name,
        group: &target.group,
        zone: target.zone.as_str(),
        addresses: target.addresses.iter().map(ToString::to_string).collect(),
        enabled: target.switches.enabled,
        notify: target.switches.notify,
        history: target.switches.history,
        schedule: target.schedule.to_string(),
        last_scanned: state.scanned_at,
        next_due: state.next_due_at,
        run: state.run,
        hosts: state.hosts,
        hosts_up: state.hosts_up,
        open_ports: state.open_ports,
        unexpected_open: state.unexpected_open,
        expected_closed: state.expected_closed,
        overdue: is_overdue(state, now),
    }
}

fn row(state: &TargetState, now: Timestamp) -> [String; 9] {
    let target = &state.target;
    let scanned = state
        .scanned_at
        .map_or("never".to_owned(), |at| ago(at, now));
    let next = if target.switches.enabled {
        soon(state.next_due_at, now)
    } else {
        NOTHING.to_owned()
    };
    [
        target.name.clone(),
        target.group.clone(),
        target.zone.to_string(),
        target.schedule.to_string(),
        scanned,
        next,
        format!("{}/{}", state.hosts_up, state.hosts),
        state.open_ports.to_string(),
        findings(state, now),
    ]
}

/// What is wrong with a target, in words.
fn findings(state: &TargetState, now: Timestamp) -> String {
    let mut words = Vec::new();
    let switches = state.target.switches;
    let by = state.set_by.as_deref().unwrap_or_default();
    let all = [
        (
            state.set.enabled,
            switches.enabled,
            "switched off",
            "switched on",
        ),
        (state.set.notify, switches.notify, "not told", "told"),
        (state.set.history, switches.history, "no history", "history"),
    ];
    for (set, is_on, off, on) in all {
        match set {
            Some(_) => words.push(format!("{} by {by}", if is_on { on } else { off })),
            None if !is_on => words.push(off.to_owned()),
            None => {}
        }
    }
    if is_overdue(state, now) {
        let since = state.overdue_since.unwrap_or(state.next_due_at);
        words.push(format!("overdue for {}", span(now.duration_since(since))));
    }
    if state.unexpected_open > 0 {
        words.push(format!("{} unexpected", state.unexpected_open));
    }
    if state.expected_closed > 0 {
        words.push(format!("{} missing", state.expected_closed));
    }
    if words.is_empty() {
        NOTHING.to_owned()
    } else {
        words.join(", ")
    }
}
