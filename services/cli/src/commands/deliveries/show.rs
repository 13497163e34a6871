//! `portwatch deliveries show`: one delivery, with each attempt.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use portwatch_notifier::log;
use portwatch_store::deliveries::LoggedAttempt;
use serde::Serialize;

use super::{Line, find, read};
use crate::listing::{Format, line, time};
use crate::printable::printable;
use crate::state::StateArguments;

/// Show a delivery with each attempt and what was answered
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Its id (the webhook-id), or as much of the beginning as no other has
    id: String,
    /// Also what is told, as a webhook gets it
    #[arg(long)]
    body: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// A delivery with its attempts.
#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    delivery: Line,
    log: Vec<AttemptLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<serde_json::Value>,
}

#[derive(Serialize)]
struct AttemptLine {
    number: u32,
    at: jiff::Timestamp,
    latency_ms: i128,
    status: Option<u16>,
    error: Option<String>,
    answer: Option<String>,
}

/// Runs the command.
pub(super) async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let found = find(&store, &arguments.id).await?;
    let attempts = store.attempts(found.id).await?;
    let body = if arguments.body {
        Some(serde_json::from_slice(&log::webhook_body(&found.body)?)?)
    } else {
        None
    };
    let whole = Whole {
        delivery: read(found),
        log: attempts.into_iter().map(attempt).collect(),
        body,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Ndjson => line(&mut out, &whole)?,
        Format::Table => print(&mut out, &whole)?,
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn attempt(logged: LoggedAttempt) -> AttemptLine {
    AttemptLine {
        number: logged.number,
        at: logged.at,
        latency_ms: logged.latency.as_millis(),
        status: logged.status,
        error: logged.error,
        answer: logged.answer,
    }
}

fn print(out: &mut impl io::Write, whole: &Whole) -> io::Result<()> {
    let delivery = &whole.delivery;
    writeln!(out, "delivery {}", delivery.id)?;
    writeln!(out, "of       {}", time(delivery.created_at))?;
    writeln!(out, "to       {}", printable(&delivery.channel))?;
    writeln!(out, "tells    {}", printable(&delivery.text))?;
    let when = match (delivery.due_at, delivery.ended_at) {
        (Some(due), _) => format!(", next attempt {}", time(due)),
        (None, Some(ended)) => format!(" at {}", time(ended)),
        (None, None) => String::new(),
    };
    writeln!(out, "state    {}{when}", delivery.state.replace('_', " "))?;
    if whole.log.is_empty()
        && let Some(note) = &delivery.error
    {
        writeln!(out, "because  {}", printable(note))?;
    }
    for one in &whole.log {
        let AttemptLine {
            number, latency_ms, ..
        } = one;
        let status = one
            .status
            .map_or("no answer".to_owned(), |status| status.to_string());
        writeln!(
            out,
            "attempt {number}: {}, {latency_ms} ms, {status}",
            time(one.at)
        )?;
        if let Some(error) = &one.error {
            writeln!(out, "  error: {}", printable(error))?;
        }
        if let Some(answer) = &one.answer {
            writeln!(out, "  answer: {}", printable(answer))?;
        }
    }
    if let Some(body) = &whole.body {
        writeln!(out, "{body:#}")?;
    }
    Ok(())
}
