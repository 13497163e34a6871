//! `portwatch route`: who would be told of a change, and why.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use portwatch_domain::change::{ChangeKind, Severity};
use portwatch_domain::ports::{Port, PortSet, PortSetError};
use portwatch_domain::target::Zone;
use portwatch_notifier::ask::{Answer, AskError, Asked, ask};
use portwatch_notifier::{Routing, channels};

use crate::listing::{Format, line};
use crate::printable::printable;
use crate::state::{self, StateArguments};

/// Say who would be told of a change, and why
///
/// Goes through the routes, silences and maintenance windows with a change such as this, and tells
/// nobody. Ends with 1 if nobody would be told.
#[derive(clap::Args)]
pub struct Arguments {
    /// What happens: port.opened, host.down, …
    kind: ChangeKind,
    /// The target's name
    #[arg(long, value_name = "NAME", required_unless_present_any = ["zone", "channel"])]
    target: Option<String>,
    /// Instead of a target: the zone that zone.unattended is about
    #[arg(long, value_name = "NAME", conflicts_with = "target")]
    zone: Option<Zone>,
    /// Instead of a target: the channel that channel.off is about
    #[arg(long, value_name = "NAME", conflicts_with_all = ["target", "zone"])]
    channel: Option<String>,
    /// The host [default: the target as a whole, or for ports and hosts its first address]
    #[arg(long, value_name = "IP", requires = "target")]
    host: Option<IpAddr>,
    /// The host's name
    #[arg(long, value_name = "NAME", requires = "host")]
    host_name: Option<String>,
    /// The port: 22, udp:53 [default for kinds that are about a port: 22]
    #[arg(long, value_name = "PORT", value_parser = port)]
    port: Option<Port>,
    /// As if the port should be in its new state
    #[arg(long)]
    expected: bool,
    /// How much it matters [default: what such a change does]
    #[arg(long, value_name = "WORD")]
    severity: Option<Severity>,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

fn port(text: &str) -> Result<Port, String> {
    let ports: PortSet = text
        .parse()
        .map_err(|error: PortSetError| error.to_string())?;
    let mut ports = ports.iter();
    match (ports.next(), ports.next()) {
        (Some(port), None) => Ok(port),
        _ => Err("one port, as in 22 or udp:53".to_owned()),
    }
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings = arguments.state.settings()?.notifier;
    let channels = channels::configured(&settings)?;
    let routing = Routing::read(&settings, &channels)?;
    let store = arguments.state.open().await?;
    if let Some(name) = &arguments.target {
        // It says which there are.
        state::target(&store, name).await?;
    }
    let asked = Asked {
        kind: arguments.kind,
        target: arguments.target,
        zone: arguments.zone,
        channel: arguments.channel,
        host: arguments.host,
        host_name: arguments.host_name,
        port: arguments.port,
        expected: arguments.expected,
        severity: arguments.severity,
    };
    let answer = ask(&store, &routing, &asked).await.map_err(as_option)?;
    print(arguments.format, &answer)?;
    Ok(ExitCode::from(u8::from(answer.told.is_empty())))
}

/// What is missing, by the name of its option.
fn as_option(error: AskError) -> anyhow::Error {
    match error {
        AskError::Needs { kind, about, key } => anyhow!("{kind} is about {about}: give --{key}"),
        AskError::NoPort(kind) => anyhow!("--port: {kind} is not about a port"),
        AskError::NoAddress(target) => anyhow!("{target} is known by names only: give --host"),
        error => error.into(),
    }
}

fn print(format: Format, answer: &Answer) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if format == Format::Ndjson {
        line(&mut out, answer)?;
        out.flush()?;
        return Ok(());
    }
    let said = printable(&answer.change);
    writeln!(out, "{said} ({})", answer.severity)?;
    if let Some(quiet) = &answer.quiet {
        writeln!(out, "  quiet: {}", printable(quiet))?;
    }
    for step in &answer.routes {
        let route = match &step.route {
            Some(name) => format!("route {name}"),
            None => "default".to_owned(),
        };
        let says = match step.misfit {
            Some(misfit) => format!("no, its {misfit} does not fit"),
            None if step.channels.is_empty() => "nobody is told".to_owned(),
            None => step.channels.join(", "),
        };
        writeln!(out, "  {}: {}", printable(&route), printable(&says))?;
    }
    for off in &answer.off {
        writeln!(out, "  channel {} is off", printable(off))?;
    }
    let names = answer.told.iter().map(|told| {
        let digest = if told.digest { " (in a digest)" } else { "" };
        format!("{}{digest}", told.channel)
    });
    let names: Vec<_> = names.collect();
    match names.as_slice() {
        [] => writeln!(out, "nobody is told")?,
        names => writeln!(out, "told: {}", printable(&names.join(", ")))?,
    }
    out.flush()?;
    Ok(())
}
