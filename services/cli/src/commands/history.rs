//! `portwatch history`: what happened.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use jiff::{SignedDuration, Timestamp};
use portwatch_domain::change::ChangeKind;
use portwatch_domain::notification::words::sentence;
use portwatch_domain::ports::Port;
use portwatch_domain::spelling::UnknownWord;
use portwatch_domain::target::TargetId;
use portwatch_store::Store;
use portwatch_store::history::{HistoryFilter, HistoryRow, Subject};
use serde::Serialize;

use crate::listing::{Format, line, time};
use crate::printable::printable;
use crate::state::{self, StateArguments};

/// Show what happened, the newest last
///
/// Shows the changes of ports, hosts, targets and zones that are kept, also those that nobody was told
/// of: the first scan of a host (baseline), and what happened while a port flapped.
#[derive(clap::Args)]
pub struct Arguments {
    /// A target's name [default: all targets]
    target: Option<String>,
    /// Only of the host with this address
    #[arg(long, value_name = "IP")]
    host: Option<IpAddr>,
    /// Only of this port: 22, udp:53
    #[arg(long, value_name = "PORT", value_parser = parse_port)]
    port: Option<Port>,
    /// Only of this kind, such as port.opened or host.down; may be given again
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    kind: Vec<ChangeKind>,
    /// Not older than this: 30m, 24h, 7d
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    since: Option<SignedDuration>,
    /// The most changes to show: the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    #[command(flatten)]
    state: StateArguments,
}

fn parse_kind(text: &str) -> Result<ChangeKind, UnknownWord> {
    text.parse()
}

fn parse_port(text: &str) -> Result<Port, String> {
    let ports: portwatch_domain::ports::PortSet =
        text.parse().map_err(|error| format!("{error}"))?;
    let mut ports = ports.iter();
    match (ports.next(), ports.next()) {
        (Some(port), None) => Ok(port),
        _ => Err("write one port: 22 or udp:53".to_owned()),
    }
}

/// A day is 24 hours here.
pub fn parse_span(text: &str) -> Result<SignedDuration, String> {
    let days = text
        .strip_suffix('d')
        .and_then(|days| days.parse::<u16>().ok());
    match days {
        Some(days) => Ok(SignedDuration::from_hours(24 * i64::from(days))),
        None => text
            .parse()
            .map_err(|_| "write it as 30m, 24h or 7d".to_owned()),
    }
}

/// One change.
#[derive(Serialize)]
struct Line<'a> {
    at: Timestamp,
    change_id: String,
    kind: &'static str,
    severity: &'static str,
    target: Option<&'a str>,
    zone: Option<String>,
    ip: Option<IpAddr>,
    port: Option<u16>,
    protocol: Option<&'static str>,
    run: Option<u64>,
    /// False for a baseline, and for what happened while a port flapped.
    told: bool,
    text: String,
}

/// Runs the command.
pub async fn run(arguments: Arguments) -> Result<ExitCode> {
    let store = arguments.state.open().await?;
    let filter = arguments.filter(&store).await?;
    let mut rows = store.history(filter).await?;
    rows.reverse();
    let names = names(&store).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if rows.is_empty() && arguments.format == Format::Table {
        writeln!(out, "nothing happened")?;
    }
    for row in &rows {
        match arguments.format {
            Format::Table => writeln!(out, "{}", text_line(row, &names))?,
            Format::Ndjson => line(&mut out, &object(row, &names))?,
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    async fn filter(&self, store: &Store) -> Result<HistoryFilter> {
        let target = match &self.target {
            Some(name) => Some(state::target(store, name).await?.id),
            None => None,
        };
        let from = match self.since {
            Some(since) => Some(
                Timestamp::now()
                    .checked_sub(since)
                    .context("--since is too long ago")?,
            ),
            None => None,
        };
        Ok(HistoryFilter {
            target,
            ip: self.host.map(|ip| ip.to_canonical()),
            port: self.port,
            kinds: self.kind.clone(),
            from,
            to: None,
            limit: self.limit,
        })
    }
}

/// What targets are called.
pub async fn names(store: &Store) -> Result<HashMap<TargetId, String>> {
    let targets = store.targets().await?;
    Ok(targets
        .into_iter()
        .map(|target| (target.id, target.name))
        .collect())
}

fn target_of<'a>(row: &HistoryRow, names: &'a HashMap<TargetId, String>) -> Option<&'a str> {
    let id = match &row.about {
        Subject::Host { target, .. } | Subject::Target(target) => target,
        Subject::Zone(_) => return None,
    };
    Some(names.get(id).map_or("(no longer watched)", String::as_str))
}

/// The change in words: what it is about, then what happened.
fn text(row: &HistoryRow, names: &HashMap<TargetId, String>) -> String {
    let subject = match &row.about {
        Subject::Host { ip, .. } => ip.to_string(),
        Subject::Target(_) => target_of(row, names).unwrap_or_default().to_owned(),
        Subject::Zone(zone) => format!("zone {zone}"),
    };
    sentence(&subject, &row.change)
}

/// A change as a line for people.
pub fn text_line(row: &HistoryRow, names: &HashMap<TargetId, String>) -> String {
    let (at, severity) = (time(row.change.at), row.change.severity);
    let target = match &row.about {
        Subject::Host { ip, .. } => target_of(row, names).filter(|name| *name != ip.to_string()),
        Subject::Target(_) | Subject::Zone(_) => None,
    };
    let target = target.map_or(String::new(), |name| format!("{name}: "));
    let told = match &row.change {
        change if change.is_news() => "",
        change if change.quiet => " (flapping, not told)",
        _ => " (not told)",
    };
    printable(&format!(
        "{at}  {severity:<6}  {target}{}{told}",
        text(row, names)
    ))
}

fn object<'a>(row: &HistoryRow, names: &'a HashMap<TargetId, String>) -> Line<'a> {
    let change = &row.change;
    let port = change.transition.port();
    Line {
        at: change.at,
        change_id: change.id.0.to_string(),
        kind: change.kind().as_str(),
        severity: change.severity.as_str(),
        target: target_of(row, names),
        zone: match &row.about {
            Subject::Zone(zone) => Some(zone.to_string()),
            _ => None,
        },
        ip: row.ip(),
        port: port.map(|port| port.number),
        protocol: port.map(|port| port.protocol.as_str()),
        run: row.run,
        told: change.is_news(),
        text: text(row, names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_ports_are_read_as_people_write_them() {
        assert_eq!(parse_span("24h"), Ok(SignedDuration::from_hours(24)));
        assert_eq!(parse_span("7d"), Ok(SignedDuration::from_hours(168)));
        assert!(parse_span("yesterday").is_err());
        assert_eq!(parse_port("22"), Ok(Port::tcp(22)));
        assert_eq!(parse_port("udp:53"), Ok(Port::udp(53)));
        assert!(parse_port("22,23").is_err() && parse_port("ssh").is_err());
    }
}
