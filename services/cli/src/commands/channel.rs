//! `portwatch channel`: how the channels fare; tries them, switches them off and on.

mod trial;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use jiff::Timestamp;
use portwatch_notifier::switch::Switch;
use portwatch_notifier::{Channel, Routing, Settings, Silences, channels};
use portwatch_store::Store;
use portwatch_store::channels::{ChannelState, Off};
use serde::Serialize;

use super::audit;
use crate::listing::{Format, NOTHING, Table, line, span, time};
use crate::state::StateArguments;
use crate::user;

/// See how channels fare, try them, switch them off and on
#[derive(clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    List(List),
    Test(trial::Arguments),
    Off(Turn),
    On(On),
}

/// List the channels of the settings, and those that are left with deliveries
///
/// Ends with 1 if one is off, fails, or is left.
#[derive(clap::Args)]
struct List {
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

/// Switch a channel off: nobody is told by it until it is switched on
///
/// What waits for it is given up; `portwatch deliveries resend` can send it later. The other channels
/// are told that it is off. A channel whose receiver has failed for five days, or has answered 410, is
/// switched off by itself.
#[derive(clap::Args)]
#[expect(clippy::doc_markdown, reason = "the help is printed as it is written")]
struct Turn {
    /// Its name
    name: String,
    /// Why, for whoever wonders at night
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who says so [default: $SUDO_USER or $USER]
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    state: StateArguments,
}

/// Switch a channel on again
#[derive(clap::Args)]
struct On {
    /// Its name
    name: String,
    #[command(flatten)]
    state: StateArguments,
}

/// One channel.
#[derive(Serialize)]
struct Line {
    name: String,
    /// `null` if the settings have no such channel.
    kind: Option<String>,
    failing_since: Option<Timestamp>,
    off: Option<OffLine>,
    pending: u64,
    given_up: u64,
}

#[derive(Serialize)]
struct OffLine {
    at: Timestamp,
    by: Option<String>,
    reason: String,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list(arguments).await,
        Command::Test(arguments) => trial::run(arguments).await,
        Command::Off(arguments) => off(arguments).await,
        Command::On(arguments) => on(arguments).await,
    }
}

/// The name and the kind of each channel of the settings.
fn configured(settings: &Settings) -> Vec<(String, String)> {
    let webhook = settings.webhook.as_ref();
    let webhook = webhook.filter(|webhook| !webhook.url.is_empty());
    let webhook = webhook.map(|_| ("webhook".to_owned(), "webhook".to_owned()));
    let named = settings.channels.iter();
    let named = named.map(|channel| (channel.name.clone(), channel.kind.clone()));
    webhook.into_iter().chain(named).collect()
}

async fn list(arguments: List) -> Result<ExitCode> {
    let settings = arguments.state.settings()?.notifier;
    let store = arguments.state.open().await?;
    let lines = lines(&configured(&settings), store.channels().await?);
    let mut out = io::BufWriter::new(io::stdout().lock());
    match arguments.format {
        Format::Ndjson => {
            for one in &lines {
                line(&mut out, one)?;
            }
        }
        Format::Table if lines.is_empty() => writeln!(out, "no channels")?,
        Format::Table => table(&lines).print(&mut out)?,
    }
    out.flush()?;
    let trouble = lines.iter().any(|line| {
        let is_left = line.kind.is_none() && line.pending > 0;
        line.off.is_some() || line.failing_since.is_some() || is_left
    });
    Ok(ExitCode::from(u8::from(trouble)))
}

fn lines(configured: &[(String, String)], mut states: Vec<ChannelState>) -> Vec<Line> {
    for (name, _) in configured {
        if !states.iter().any(|state| state.name == *name) {
            states.push(ChannelState {
                name: name.clone(),
                ..ChannelState::default()
            });
        }
    }
    states.sort_by(|one, other| one.name.cmp(&other.name));
    let one = |state: ChannelState| {
        let kind = configured.iter().find(|(name, _)| *name == state.name);
        Line {
            kind: kind.map(|(_, kind)| kind.clone()),
            name: state.name,
            failing_since: state.failing_since,
            off: state
                .off
                .map(|Off { at, by, reason }| OffLine { at, by, reason }),
            pending: state.pending,
            given_up: state.given_up,
        }
    };
    states.into_iter().map(one).collect()
}

fn table(lines: &[Line]) -> Table {
    let now = Timestamp::now();
    let mut table = Table::new(&["NAME", "KIND", "STATE", "WAITING", "GIVEN UP", "WHY"]);
    for line in lines {
        let (state, why) = match (&line.off, line.failing_since, &line.kind) {
            (Some(off), ..) => {
                let by = off
                    .by
                    .as_ref()
                    .map_or(String::new(), |by| format!("{by}: "));
                let since = format!("off since {}", time(off.at));
                (since, format!("{by}{}", off.reason))
            }
            (None, Some(since), _) => {
                let failing = span(now.duration_since(since));
                (format!("failing for {failing}"), NOTHING.to_owned())
            }
            (None, None, None) => {
                let left = "the settings have no such channel";
                ("left".to_owned(), left.to_owned())
            }
            (None, None, Some(_)) => ("on".to_owned(), NOTHING.to_owned()),
        };
        table.row([
            line.name.clone(),
            line.kind.clone().unwrap_or_else(|| NOTHING.to_owned()),
            state,
            line.pending.to_string(),
            line.given_up.to_string(),
            why,
        ]);
    }
    table
}

/// What is needed to switch a channel and to tell the others.
struct Known {
    store: Store,
    channels: Vec<Channel>,
    routing: Routing,
    silences: Silences,
}

impl Known {
    async fn read(state: &StateArguments) -> Result<Self> {
        let settings = state.settings()?.notifier;
        let channels = channels::configured(&settings)?;
        Ok(Self {
            store: state.open().await?,
            routing: Routing::read(&settings, &channels)?,
            channels,
            silences: Silences::default(),
        })
    }

    const fn switch(&self) -> Switch<'_> {
        Switch {
            store: &self.store,
            channels: self.channels.as_slice(),
            routing: &self.routing,
            silences: &self.silences,
        }
    }

    /// The name, if the settings or the deliveries know it.
    async fn check(&self, name: &str) -> Result<()> {
        let states = self.store.channels().await?;
        let names = self.channels.iter().map(Channel::name);
        let mut names: Vec<&str> = names
            .chain(states.iter().map(|state| state.name.as_str()))
            .collect();
        names.sort_unstable();
        names.dedup();
        match names.as_slice() {
            names if names.contains(&name) => Ok(()),
            [] => bail!("no channel {name:?}: there is none in the settings"),
            names => bail!("no channel {name:?}: there are {}", names.join(", ")),
        }
    }
}

async fn off(arguments: Turn) -> Result<ExitCode> {
    if arguments.reason.trim().is_empty() {
        bail!("--reason: somebody will wonder why: say it");
    }
    let known = Known::read(&arguments.state).await?;
    let name = arguments.name;
    known.check(&name).await?;
    let now = Timestamp::now();
    let (by, why) = (
        arguments.by.unwrap_or_else(user::name),
        arguments.reason.clone(),
    );
    let off = Off {
        at: now,
        by: Some(by.clone()),
        reason: arguments.reason,
    };
    if !known.switch().off(&name, off, now).await? {
        bail!("channel {name} is off already");
    }
    audit::note(&known.store, &by, "channel.off", &name, &why).await?;
    writeln!(
        io::stdout(),
        "channel {name} is off; nobody is told by it until `portwatch channel on {name}`"
    )?;
    Ok(ExitCode::SUCCESS)
}

async fn on(arguments: On) -> Result<ExitCode> {
    let known = Known::read(&arguments.state).await?;
    let name = arguments.name;
    if !known.switch().on(&name).await? {
        known.check(&name).await?;
        bail!("channel {name} is not off");
    }
    audit::note(&known.store, &user::name(), "channel.on", &name, "").await?;
    writeln!(
        io::stdout(),
        "channel {name} is on; what happened meanwhile is in the history, and what was given up can be sent by `portwatch deliveries resend`"
    )?;
    Ok(ExitCode::SUCCESS)
}
