//! `portwatch targets set`: switches of a target.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use portwatch_domain::target::Switching;

use crate::commands::roxy_wi;
use crate::printable::printable;
use crate::state::StateArguments;

/// Switch a target that comes from Roxy-WI on or off
///
/// Sets the switches in Roxy-WI, where they are kept, and takes them over at once. It needs
/// scheduler.roxy_wi.write_back = true. Other targets have their switches in the settings file.
#[derive(clap::Args)]
#[expect(clippy::doc_markdown, reason = "the help is printed as it is written")]
pub struct Arguments {
    /// The target's name, or GROUP/NAME
    target: String,
    /// Whether it is scanned
    #[arg(long, value_name = "on|off")]
    enabled: Option<Position>,
    /// Whether its changes are told
    #[arg(long, value_name = "on|off")]
    notify: Option<Position>,
    /// Whether its changes are kept
    #[arg(long, value_name = "on|off")]
    history: Option<Position>,
    #[command(flatten)]
    state: StateArguments,
}

/// Where a switch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Position {
    On,
    Off,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let is_on = |position: Option<Position>| position.map(|position| position == Position::On);
    let switch = Switching {
        enabled: is_on(arguments.enabled),
        notify: is_on(arguments.notify),
        history: is_on(arguments.history),
    };
    if switch == Switching::default() {
        bail!("say which switch: --enabled, --notify or --history, on or off");
    }
    let roxy_wi = roxy_wi::configured(&arguments.state.settings()?)?;
    let store = arguments.state.open().await?;
    let set = roxy_wi.set(&store, &arguments.target, switch).await?;
    let word = |is_on| if is_on { "on" } else { "off" };
    let (name, now) = (printable(&set.target), set.switches);
    writeln!(
        io::stdout(),
        "{name}: enabled {}, notify {}, history {} (in Roxy-WI as well)",
        word(now.enabled),
        word(now.notify),
        word(now.history)
    )?;
    if now.enabled && !set.effective.enabled {
        eprintln!("note: the server itself is disabled in Roxy-WI, so it is not scanned");
    }
    Ok(ExitCode::SUCCESS)
}
