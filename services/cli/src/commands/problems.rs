//! `portwatch problems` and `portwatch ack`: what is wrong now, and that somebody has seen it.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use portwatch_domain::notification::words::sentence;
use portwatch_notifier::problems::{Known, known};
use portwatch_store::Store;
use portwatch_store::problems::Acknowledgement;
use serde::Serialize;
use uuid::Uuid;

use super::audit;
use crate::listing::{Format, NOTHING, Table, ago, line};
use crate::state::StateArguments;
use crate::user;

/// So many problems are looked at.
const MOST: u32 = 10_000;

/// List what is wrong now, the oldest first
///
/// A problem begins with a change, such as an unexpected port that opens, an expected one that closes,
/// a host that goes down, and ends when all is as it should be again. What is found by the first scan
/// is no change: see portwatch check. Ends with 1 if there is a problem that nobody has acknowledged.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only those that nobody has acknowledged
    #[arg(long)]
    open: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// Acknowledge a problem: nobody is reminded of it until it ends
#[derive(clap::Args)]
#[expect(clippy::doc_markdown, reason = "the help is printed as it is written")]
pub struct AckArguments {
    /// The problem's id, or as much of the beginning as no other has
    id: String,
    /// What you do about it
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Who has seen it [default: $SUDO_USER or $USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    state: StateArguments,
}

/// One problem.
#[derive(Serialize)]
struct Line {
    id: Uuid,
    since: Timestamp,
    severity: &'static str,
    target: Option<String>,
    host: String,
    kind: &'static str,
    port: Option<String>,
    text: String,
    acknowledged: Option<Seen>,
}

/// Who has seen it.
#[derive(Serialize)]
struct Seen {
    at: Timestamp,
    by: String,
    reason: String,
}

/// Runs `portwatch problems`.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let mut lines = Vec::new();
    for problem in known(&store, MOST).await? {
        if !(arguments.open && problem.acknowledged.is_some()) {
            lines.extend(read(problem));
        }
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Ndjson => {
            for one in &lines {
                line(&mut out, one)?;
            }
        }
        Format::Table if lines.is_empty() => writeln!(out, "no problems")?,
        Format::Table => table(&lines).print(&mut out)?,
    }
    out.flush()?;
    let any_open = lines.iter().any(|line| line.acknowledged.is_none());
    Ok(ExitCode::from(u8::from(any_open)))
}

fn read(problem: Known) -> Option<Line> {
    let changes = &problem.changes;
    let change = changes.changes.first()?;
    Some(Line {
        id: problem.id,
        since: problem.since,
        severity: change.severity.as_str(),
        target: changes.target().map(|target| target.name.clone()),
        host: changes.subject(),
        kind: change.kind().as_str(),
        port: change.transition.port().map(|port| port.to_string()),
        text: sentence(&changes.subject(), change),
        acknowledged: problem.acknowledged.map(|seen| Seen {
            at: seen.at,
            by: seen.by,
            reason: seen.reason,
        }),
    })
}

fn table(lines: &[Line]) -> Table {
    let now = Timestamp::now();
    let mut table = Table::new(&["ID", "SINCE", "SEVERITY", "TARGET", "WHAT", "SEEN BY"]);
    for line in lines {
        let seen = line.acknowledged.as_ref().map(|seen| {
            let reason = if seen.reason.is_empty() { "" } else { ": " };
            format!("{}{reason}{}", seen.by, seen.reason)
        });
        table.row([
            line.id.to_string().chars().take(8).collect(),
            ago(line.since, now),
            line.severity.to_owned(),
            line.target.clone().unwrap_or_else(|| NOTHING.to_owned()),
            line.text.clone(),
            seen.unwrap_or_else(|| NOTHING.to_owned()),
        ]);
    }
    table
}

/// Runs `portwatch ack`.
pub async fn acknowledge(arguments: AckArguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let id = find(&store, &arguments.id).await?;
    let by = Acknowledgement {
        at: Timestamp::now(),
        by: arguments.by.unwrap_or_else(user::name),
        reason: arguments.reason,
    };
    let (who, reason) = (by.by.clone(), by.reason.clone());
    if !store.acknowledge(id, by).await? {
        bail!("problem {id} has ended, or was acknowledged before");
    }
    audit::note(&store, &who, "problem.ack", &id.to_string(), &reason).await?;
    writeln!(io::stdout(), "problem {id} is acknowledged until it ends")?;
    Ok(ExitCode::SUCCESS)
}

/// The problem whose id begins so.
async fn find(store: &Store, beginning: &str) -> Result<Uuid> {
    let problems = store.problems(MOST).await?;
    let ids = problems.iter().map(|problem| problem.id);
    crate::state::one_that_begins(beginning, ids, "problem", "portwatch problems")
}
