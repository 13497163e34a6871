//! `portwatch dead`: what is in the dead-letter queue.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use uuid::Uuid;

use crate::printable::printable;
use crate::settings::{ConfigArgument, until_good};

/// Look at messages that could not be handled, and send them again
///
/// Messages that could not be handled wait in the queue pw.dead, with the reason. This lists them,
/// oldest first, or sends one again to where it came from.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// The most messages to list
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Print each message's body as well
    #[arg(long)]
    bodies: bool,
    /// Send the message with this id again instead
    #[arg(long, value_name = "ID")]
    resend: Option<Uuid>,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings = arguments.config.load()?;
    let bus = settings.broker.connect("dead").await?;
    until_good(|| bus.check()).await?;
    if let Some(id) = arguments.resend {
        if !bus.resend_dead(id).await.context("sending it again")? {
            bail!("no dead message has the id {id}");
        }
        writeln!(io::stdout(), "sent again: {id}")?;
        bus.close().await;
        return Ok(ExitCode::SUCCESS);
    }
    let letters = bus
        .dead_letters(arguments.limit)
        .await
        .context("reading the dead-letter queue")?;
    let mut out = io::stdout();
    if letters.is_empty() {
        writeln!(out, "no dead messages")?;
    }
    for letter in letters {
        let died_at = letter.died_at.map_or_else(
            || "-".to_owned(),
            |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        );
        let (key, reason) = (printable(&letter.key), printable(&letter.reason));
        let (id, attempts) = (letter.id, letter.attempts);
        writeln!(
            out,
            "{died_at}  {id}  {key}  attempts: {attempts}  {reason}"
        )?;
        if arguments.bodies {
            let body = String::from_utf8_lossy(&letter.body);
            writeln!(out, "    {}", printable(&body))?;
        }
    }
    bus.close().await;
    Ok(ExitCode::SUCCESS)
}
