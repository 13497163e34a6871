//! `portwatch targets set`: switches of a target.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum;
use jiff::Timestamp;
use portwatch_domain::target::{Switches, Switching};
use portwatch_scheduler::Source;
use portwatch_store::Store;
use portwatch_store::targets::SetSwitches;

use crate::commands::{audit, roxy_wi};
use crate::printable::printable;
use crate::state::{self, StateArguments};
use crate::user;

/// Switch a target on or off
///
/// What is set goes before what the settings file says, until it is set back with --as-configured. The
/// switches of targets that come from Roxy-WI are set there, where they are kept, and taken over at
/// once; that needs scheduler.roxy_wi.write_back = true.
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
    /// Let all three be as the settings file says
    #[arg(long, conflicts_with_all = ["enabled", "notify", "history"])]
    as_configured: bool,
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
    let switching = Switching {
        enabled: is_on(arguments.enabled),
        notify: is_on(arguments.notify),
        history: is_on(arguments.history),
    };
    if switching == Switching::default() && !arguments.as_configured {
        bail!("say which switch: --enabled, --notify or --history, on or off");
    }
    let store = arguments.state.open().await?;
    let name = &arguments.target;
    let from_roxy_wi = store.targets_of(Source::RoxyWi.as_str()).await?;
    if from_roxy_wi.iter().any(|target| target.is_called(name)) {
        return at_roxy_wi(&arguments, &store, switching).await;
    }
    let target = state::target(&store, name).await?;
    let set = if arguments.as_configured {
        SetSwitches::AsConfigured
    } else {
        SetSwitches::These(switching)
    };
    let by = user::name();
    let now = store.set_switches(target.id, set, &by, Timestamp::now());
    let Some(now) = now.await? else {
        bail!("{name} is watched no longer");
    };
    say(&target.name, now, "")?;
    Ok(ExitCode::SUCCESS)
}

async fn at_roxy_wi(
    arguments: &Arguments,
    store: &Store,
    switching: Switching,
) -> Result<ExitCode> {
    if arguments.as_configured {
        bail!("the switches of this target are kept in Roxy-WI: nothing else is set");
    }
    let roxy_wi = roxy_wi::configured(&arguments.state.settings()?)?;
    let set = roxy_wi.set(store, &arguments.target, switching).await?;
    let detail = format!("{switching} (in Roxy-WI)");
    audit::note(store, &user::name(), "switches.set", &set.target, &detail).await?;
    say(&set.target, set.switches, " (in Roxy-WI as well)")?;
    if set.switches.enabled && !set.effective.enabled {
        eprintln!("note: the server itself is disabled in Roxy-WI, so it is not scanned");
    }
    Ok(ExitCode::SUCCESS)
}

fn say(name: &str, now: Switches, also: &str) -> io::Result<()> {
    let word = |is_on| if is_on { "on" } else { "off" };
    writeln!(
        io::stdout(),
        "{}: enabled {}, notify {}, history {}{also}",
        printable(name),
        word(now.enabled),
        word(now.notify),
        word(now.history)
    )
}
