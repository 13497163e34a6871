//! `portwatch deliveries`: what was sent where, what came of it, and sending again.

mod resend;
mod show;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use portwatch_notifier::log;
use portwatch_store::Store;
use portwatch_store::deliveries::{Delivery, DeliveryFilter, DeliveryState};
use serde::Serialize;
use uuid::Uuid;

use crate::listing::{Format, NOTHING, Table, ago, line, soon};
use crate::state::StateArguments;

/// See what was sent where and what came of it; send it again
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(List),
    Show(show::Arguments),
    Resend(resend::Arguments),
}

/// List deliveries, the newest first
#[derive(clap::Args)]
struct List {
    #[command(flatten)]
    which: Which,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// Which deliveries.
#[derive(clap::Args)]
#[expect(clippy::doc_markdown, reason = "the help is printed as it is written")]
struct Which {
    /// Only those to a channel
    #[arg(long, value_name = "NAME")]
    channel: Option<String>,
    /// Only those that are waiting, pending, delivered or given_up
    #[arg(long = "in", value_name = "STATE")]
    state: Option<DeliveryState>,
}

/// One delivery.
#[derive(Serialize)]
struct Line {
    id: Uuid,
    created_at: Timestamp,
    channel: String,
    state: &'static str,
    attempts: u32,
    /// When it is attempted; `null` if it has ended.
    due_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    status: Option<u16>,
    error: Option<String>,
    answer: Option<String>,
    text: String,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list(arguments).await,
        Command::Show(arguments) => show::run(arguments).await,
        Command::Resend(arguments) => resend::run(arguments).await,
    }
}

async fn list(arguments: List) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let filter = DeliveryFilter {
        channel: arguments.which.channel,
        state: arguments.which.state,
    };
    let found = store.deliveries(filter, arguments.limit).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let lines: Vec<Line> = found.into_iter().map(read).collect();
    match arguments.format {
        Format::Ndjson => {
            for one in &lines {
                line(&mut out, one)?;
            }
        }
        Format::Table if lines.is_empty() => writeln!(out, "no deliveries")?,
        Format::Table => table(&lines).print(&mut out)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn read(delivery: Delivery) -> Line {
    let (status, error, answer) = match delivery.last {
        Some(last) => (last.status, last.error, last.answer),
        None => (None, None, None),
    };
    Line {
        id: delivery.id,
        created_at: delivery.created_at,
        channel: delivery.channel,
        state: delivery.state.as_str(),
        attempts: delivery.attempts,
        due_at: delivery.ended_at.is_none().then_some(delivery.due_at),
        ended_at: delivery.ended_at,
        status,
        error: delivery.note.or(error),
        answer,
        text: log::title(&delivery.body),
    }
}

fn table(lines: &[Line]) -> Table {
    let now = Timestamp::now();
    let heads = [
        "ID", "MADE", "CHANNEL", "STATE", "TRIES", "NEXT", "ANSWER", "WHAT",
    ];
    let mut table = Table::new(&heads);
    for line in lines {
        let status = line.status.map(|status| status.to_string());
        table.row([
            line.id.to_string().chars().take(8).collect(),
            ago(line.created_at, now),
            line.channel.clone(),
            line.state.to_owned(),
            line.attempts.to_string(),
            line.due_at
                .map_or_else(|| NOTHING.to_owned(), |due| soon(due, now)),
            line.error
                .clone()
                .or(status)
                .unwrap_or_else(|| NOTHING.to_owned()),
            line.text.clone(),
        ]);
    }
    table
}

/// So many characters of an id are written at least.
const SHORTEST_ID: usize = 4;

/// The delivery whose id begins so.
async fn find(store: &Store, beginning: &str) -> Result<Delivery> {
    let digits: String = beginning.chars().filter(|&c| c != '-').collect();
    let is_hex = digits.chars().all(|c| c.is_ascii_hexdigit());
    if !is_hex || digits.len() < SHORTEST_ID || digits.len() > 32 {
        bail!("{beginning:?} is no id of a delivery: `portwatch deliveries list` shows them");
    }
    let first = Uuid::parse_str(&format!("{digits:0<32}"))?;
    let last = Uuid::parse_str(&format!("{digits:f<32}"))?;
    let mut found = store.deliveries_between(first, last, 2).await?.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => bail!("no delivery {beginning:?}: `portwatch deliveries list` shows them"),
        (Some(_), Some(_)) => {
            bail!("several deliveries begin with {beginning:?}: write more of the id")
        }
    }
}
