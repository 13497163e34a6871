//! The state of ports and of hosts that are down, as lines.

use std::io::{self, Write};
use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::change::{HostRecord, PortRecord};
use portwatch_domain::ports::{Port, PortSet, service_name};
use portwatch_domain::snapshot::{HostState, PortState, Service};
use portwatch_domain::target::Target;
use serde::Serialize;

use crate::listing::{Format, NOTHING, Table, ago, line, time};

/// Whether a port is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is.
    Expected,
    /// It is open and should not be.
    Unexpected,
    /// It should be open and is not.
    Missing,
    /// Nobody has said how it should be.
    Unjudged,
}

/// What is known of one port, or of a host that is not up.
pub struct PortView<'a> {
    target: &'a Target,
    host: &'a HostRecord,
    /// `None` for the host as a whole.
    port: Option<(Port, Judged)>,
    /// `None` for a port that was never open.
    record: Option<&'a PortRecord>,
}

/// All that is to say of the hosts of a target.
pub fn views<'a>(target: &'a Target, hosts: &'a [HostRecord]) -> Vec<PortView<'a>> {
    hosts
        .iter()
        .flat_map(|host| of_host(target, host))
        .collect()
}

fn of_host<'a>(target: &'a Target, host: &'a HostRecord) -> Vec<PortView<'a>> {
    let view = |port, record| PortView {
        target,
        host,
        port,
        record,
    };
    let unexpected = host.unexpected_open(target);
    let missing = host.expected_closed(target);
    let has_policy = host.approved.is_some() || target.expected.is_some();
    let judged = |port| {
        if unexpected.contains(port) {
            Judged::Unexpected
        } else if missing.contains(port) {
            Judged::Missing
        } else if has_policy {
            Judged::Expected
        } else {
            Judged::Unjudged
        }
    };
    // What is watched no longer is not judged any more.
    let recorded: PortSet = host.ports.keys().copied().collect();
    let ports = recorded.intersection(&target.ports).union(&missing);
    let as_a_whole =
        host.state != HostState::Up || host.suspect || host.soft.is_some() || host.flapping.flaps;
    let is_worth_it = as_a_whole && (host.last_seen.is_some() || !host.ports.is_empty());
    let whole = is_worth_it.then(|| view(None, None));
    let ports = ports
        .iter()
        .map(|port| view(Some((port, judged(port))), host.ports.get(&port)));
    whole.into_iter().chain(ports).collect()
}

impl PortView<'_> {
    /// Whether it is as it should be.
    pub fn judged(&self) -> Judged {
        self.port.map_or(Judged::Unjudged, |(_, judged)| judged)
    }

    /// False for ports that are closed, and may be.
    pub fn is_of_interest(&self) -> bool {
        self.port.is_none()
            || self.judged() == Judged::Missing
            || self.record.is_some_and(|record| {
                record.state == PortState::Open || record.soft.is_some() || record.flapping.flaps
            })
    }

    /// True for a host as a whole, and for one of these ports; `None` are all.
    pub fn is_within(&self, ports: Option<&PortSet>) -> bool {
        let port = self.port.map(|(port, _)| port);
        ports.is_none_or(|ports| port.is_none_or(|port| ports.contains(port)))
    }

    fn state(&self) -> &'static str {
        match (self.port, self.record) {
            (Some(_), Some(record)) => record.state.as_str(),
            (Some(_), None) => PortState::Closed.as_str(),
            (None, _) => self.host.state.as_str(),
        }
    }

    fn since(&self) -> Option<Timestamp> {
        self.record.map_or_else(
            || self.host.since.filter(|_| self.port.is_none()),
            |record| Some(record.since),
        )
    }

    fn last_seen(&self) -> Option<Timestamp> {
        self.record.map_or_else(
            || self.host.last_seen.filter(|_| self.port.is_none()),
            |record| Some(record.last_seen),
        )
    }

    /// What listens there, as far as is known.
    fn service(&self) -> Option<&str> {
        let usual = service_name(self.port?.0);
        let service = self.record.and_then(|record| record.service.as_ref());
        service.and_then(Service::proven_name).or(usual)
    }

    /// What the last scans saw instead: the state, since when and how often.
    fn soft(&self) -> Option<Soft> {
        let (state, since, scans) = if self.port.is_some() {
            let soft = self.record?.soft.as_ref()?;
            (soft.state.as_str(), soft.since, soft.scans)
        } else {
            let soft = self.host.soft?;
            (soft.state.as_str(), soft.since, soft.scans)
        };
        Some(Soft {
            state,
            since,
            scans,
        })
    }

    fn flaps(&self) -> bool {
        match self.port {
            Some(_) => self.record.is_some_and(|record| record.flapping.flaps),
            None => self.host.flapping.flaps,
        }
    }

    fn note(&self, now: Timestamp) -> String {
        let mut notes = Vec::new();
        if let Some(soft) = self.soft() {
            let (state, since) = (soft.state, ago(soft.since, now));
            notes.push(format!("{state} since {since}, not confirmed yet"));
        }
        if self.flaps() {
            notes.push("flapping".to_owned());
        }
        if self.port.is_none() && self.host.suspect {
            notes.push("answers open on everything, ports are not judged".to_owned());
        }
        if self.port.is_some() && self.host.state == HostState::Down {
            notes.push("host is down".to_owned());
        }
        notes.join("; ")
    }

    fn row(&self, now: Timestamp) -> [String; 9] {
        let or_nothing = |text: Option<String>| text.unwrap_or_else(|| NOTHING.to_owned());
        let name = self.host.name.as_ref();
        let host = name.map_or(self.host.ip.to_string(), |name| {
            format!("{name} ({})", self.host.ip)
        });
        let port = self
            .port
            .map(|(port, _)| format!("{}/{}", port.number, port.protocol));
        [
            self.target.name.clone(),
            host,
            port.unwrap_or_else(|| "host".to_owned()),
            or_nothing(self.service().map(str::to_owned)),
            self.state().to_owned(),
            or_nothing(self.since().map(time)),
            or_nothing(self.last_seen().map(|at| ago(at, now))),
            self.judged().word().to_owned(),
            self.note(now),
        ]
    }

    fn object(&self) -> Line<'_> {
        let port = self.port.map(|(port, _)| port);
        Line {
            target: &self.target.name,
            host: self.host.name.as_deref(),
            ip: self.host.ip,
            port: port.map(|port| port.number),
            protocol: port.map(|port| port.protocol.as_str()),
            state: self.state(),
            host_state: self.host.state.as_str(),
            suspect: self.host.suspect,
            since: self.since(),
            first_seen: self.record.map(|record| record.first_seen),
            last_seen: self.last_seen(),
            service: self.service(),
            expected: match self.judged() {
                Judged::Expected => Some(true),
                Judged::Unexpected | Judged::Missing => Some(false),
                Judged::Unjudged => None,
            },
            soft: self.soft(),
            flapping: self.flaps(),
        }
    }
}

impl Judged {
    const fn word(self) -> &'static str {
        match self {
            Self::Expected => "yes",
            Self::Unexpected => "unexpected",
            Self::Missing => "missing",
            Self::Unjudged => NOTHING,
        }
    }
}

/// A state that is not confirmed.
#[derive(Serialize)]
struct Soft {
    state: &'static str,
    since: Timestamp,
    scans: u8,
}

/// One port, or a host that is not up: that has no port.
#[derive(Serialize)]
struct Line<'a> {
    target: &'a str,
    host: Option<&'a str>,
    ip: IpAddr,
    port: Option<u16>,
    protocol: Option<&'static str>,
    state: &'static str,
    host_state: &'static str,
    suspect: bool,
    since: Option<Timestamp>,
    first_seen: Option<Timestamp>,
    last_seen: Option<Timestamp>,
    service: Option<&'a str>,
    /// `null` where nobody has said what is expected.
    expected: Option<bool>,
    soft: Option<Soft>,
    flapping: bool,
}

/// Prints them.
pub fn print(out: &mut impl Write, format: Format, views: &[PortView<'_>]) -> io::Result<()> {
    if format == Format::Ndjson {
        return views.iter().try_for_each(|view| line(out, &view.object()));
    }
    let mut table = Table::new(&[
        "TARGET",
        "HOST",
        "PORT",
        "SERVICE",
        "STATE",
        "SINCE",
        "LAST SEEN",
        "EXPECTED",
        "NOTE",
    ]);
    let now = Timestamp::now();
    for view in views {
        table.row(view.row(now));
    }
    table.print(out)
}
