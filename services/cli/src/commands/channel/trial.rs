//! `portwatch channel test`: sends a test message and shows the answer.

use std::io;
use std::process::ExitCode;

use anyhow::{Result, bail};
use portwatch_notifier::channels::trial::Tried;
use portwatch_notifier::{Channel, channels};

use crate::listing::{Format, line};
use crate::printable::printable;
use crate::settings::ConfigArgument;

/// Send a message that says to be a test, and show what the receiver answers
///
/// It goes out at once, once, past routes and silences, and also if the channel is off. Nothing is
/// kept of it. Ends with 1 if it was not taken.
#[derive(clap::Args)]
pub struct Arguments {
    /// The channel's name
    name: String,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    config: ConfigArgument,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let channels = channels::configured(&arguments.config.load()?.notifier)?;
    let name = &arguments.name;
    let Some(channel) = channels.iter().find(|channel| channel.name() == name) else {
        let names: Vec<_> = channels.iter().map(Channel::name).collect();
        match names.as_slice() {
            [] => {
                bail!("no channel {name:?}: there is none in the settings: name them with --config")
            }
            names => bail!("no channel {name:?}: there are {}", names.join(", ")),
        }
    };
    let tried = Tried::new(channel.name(), channel.test().await);
    let mut out = io::stdout().lock();
    match arguments.format {
        Format::Ndjson => line(&mut out, &tried)?,
        Format::Table => print(&mut out, &tried)?,
    }
    Ok(ExitCode::from(u8::from(!tried.taken)))
}

fn print(out: &mut impl io::Write, tried: &Tried) -> io::Result<()> {
    let (channel, latency) = (&tried.channel, tried.latency_ms);
    let status = tried.status;
    let status = status.map_or(String::new(), |status| format!(" with {status}"));
    match &tried.error {
        None => writeln!(out, "{channel}: taken after {latency} ms{status}")?,
        Some(error) => {
            let error = printable(error);
            writeln!(out, "{channel}: not taken, after {latency} ms: {error}")?;
        }
    }
    match &tried.answer {
        None => Ok(()),
        Some(answer) => writeln!(out, "answer: {}", printable(answer)),
    }
}
