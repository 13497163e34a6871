//! `portwatch route`: who would be told of a change, and why.

mod sample;

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::Result;
use jiff::Timestamp;
use portwatch_domain::change::{About, Change, ChangeKind, Severity};
use portwatch_domain::notification::quiet::{Quiet, quiet};
use portwatch_domain::notification::route::Way;
use portwatch_domain::notification::words::sentence;
use portwatch_domain::ports::{Port, PortSet, PortSetError};
use portwatch_domain::target::{Target, Zone};
use portwatch_notifier::{Routing, channels, silences};
use serde::Serialize;

use crate::listing::{Format, line, time};
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

/// What would happen.
#[derive(Serialize)]
struct Answer {
    change: String,
    severity: &'static str,
    /// Why nobody is told; `null` if that is left to the routes.
    quiet: Option<String>,
    routes: Vec<Step>,
    told: Vec<Told>,
}

/// What one route says to it.
#[derive(Serialize)]
struct Step {
    /// `null` for the default.
    route: Option<String>,
    fits: bool,
    /// What does not fit.
    misfit: Option<&'static str>,
    channels: Vec<String>,
}

/// Who would be told.
#[derive(Serialize)]
struct Told {
    channel: String,
    digest: bool,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let settings = arguments.state.settings()?.notifier;
    let channels = channels::configured(&settings)?;
    let routing = Routing::read(&settings, &channels)?;
    let store = arguments.state.open().await?;
    let target = match &arguments.target {
        Some(name) => Some(state::target(&store, name).await?),
        None => None,
    };
    let (about, change) = arguments.sample(target.as_ref())?;
    let now = Timestamp::now();
    let silences = silences::read(&store, now).await?;
    let hushed = quiet(&silences, &routing.maintenance, &about, &change, now);
    let muted = target.is_some_and(|target| !target.switches.notify);
    let quiet = if muted {
        Some("the target's notify switch is off".to_owned())
    } else {
        hushed.map(|quiet| why(&quiet))
    };
    let answer = answer(quiet, &about, &change, &routing.routes.way(&about, &change));
    print(arguments.format, &answer)?;
    Ok(ExitCode::from(u8::from(answer.told.is_empty())))
}

impl Arguments {
    /// The change, and what it is about.
    fn sample(&self, target: Option<&Target>) -> Result<(About, Change)> {
        sample::sample(&sample::Asked {
            kind: self.kind,
            target,
            zone: self.zone.as_ref(),
            channel: self.channel.as_deref(),
            host: self.host,
            host_name: self.host_name.as_deref(),
            port: self.port,
            expected: self.expected,
            severity: self.severity,
        })
    }
}

fn why(quiet: &Quiet<'_>) -> String {
    match quiet {
        Quiet::Silenced(silence) => format!(
            "silenced by {} until {}: {} ({})",
            silence.author,
            time(silence.until),
            silence.reason,
            silence.id
        ),
        Quiet::Maintained(window) => format!("in the maintenance window {}", window.name),
    }
}

fn answer(quiet: Option<String>, about: &About, change: &Change, way: &Way<'_>) -> Answer {
    let subject = match about {
        About::Host { ip, name, .. } => name.clone().unwrap_or_else(|| ip.to_string()),
        About::Target(target) => target.name.clone(),
        About::Zone(zone) => format!("zone {zone}"),
        About::Channel(channel) => format!("channel {channel}"),
    };
    let steps = way.steps.iter().map(|step| Step {
        route: step.rule.map(str::to_owned),
        fits: step.told.is_ok(),
        misfit: step.told.err().map(|misfit| misfit.0),
        channels: step.told.map(<[String]>::to_vec).unwrap_or_default(),
    });
    let told = way.stops.iter().map(|stop| Told {
        channel: stop.channel.to_owned(),
        digest: stop.digest.is_some(),
    });
    Answer {
        change: sentence(&subject, change),
        severity: change.severity.as_str(),
        told: if quiet.is_some() {
            Vec::new()
        } else {
            told.collect()
        },
        quiet,
        routes: steps.collect(),
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
