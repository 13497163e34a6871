//! A change to try routes with.

use std::net::IpAddr;

use anyhow::{Result, bail};
use jiff::Timestamp;
use portwatch_domain::change::{
    About, Change, ChangeId, ChangeKind, ChannelEvent, Severity, Transition,
};
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::service::SafeText;
use portwatch_domain::snapshot::{Answer, Evidence, HostState, PortState, Service};
use portwatch_domain::target::{Address, Target, Zone};
use uuid::Uuid;

/// What is asked about.
pub struct Asked<'a> {
    pub kind: ChangeKind,
    pub target: Option<&'a Target>,
    pub zone: Option<&'a Zone>,
    pub channel: Option<&'a str>,
    pub host: Option<IpAddr>,
    pub host_name: Option<&'a str>,
    pub port: Option<Port>,
    pub expected: bool,
    pub severity: Option<Severity>,
}

/// The change, and what it is about.
pub fn sample(asked: &Asked<'_>) -> Result<(About, Change)> {
    let transition = transition(asked)?;
    let change = Change {
        id: ChangeId(Uuid::nil()),
        severity: asked.severity.unwrap_or_else(|| Severity::of(&transition)),
        transition,
        quiet: false,
        at: Timestamp::now(),
    };
    Ok((about(asked)?, change))
}

fn about(asked: &Asked<'_>) -> Result<About> {
    let of_zone = matches!(
        asked.kind,
        ChangeKind::ZoneUnattended | ChangeKind::ZoneAttended
    );
    let of_target = matches!(
        asked.kind,
        ChangeKind::TargetAddress | ChangeKind::TargetOverdue | ChangeKind::TargetScanned
    );
    let of_channel = matches!(
        asked.kind,
        ChangeKind::ChannelOff | ChangeKind::ChannelOn | ChangeKind::ChannelTest
    );
    if of_channel || asked.channel.is_some() {
        return match asked.channel {
            Some(channel) if of_channel => Ok(About::Channel(channel.to_owned())),
            Some(_) => bail!("{} is not about a channel: give --target", asked.kind),
            None => bail!("{} is about a channel: give --channel", asked.kind),
        };
    }
    match (asked.target, asked.zone) {
        (_, Some(zone)) if of_zone => Ok(About::Zone(zone.clone())),
        (Some(_), _) if of_zone => bail!("{} is about a zone: give --zone", asked.kind),
        (Some(target), _) if of_target => Ok(About::Target(target.reference())),
        (Some(target), _) => {
            let first = target.addresses.iter().find_map(first);
            let Some(ip) = asked.host.or(first) else {
                bail!("{} is known by names only: give --host", target.name);
            };
            Ok(About::Host {
                target: target.reference(),
                ip,
                name: asked.host_name.map(str::to_owned),
            })
        }
        (None, _) => bail!("{} is about a target: give --target", asked.kind),
    }
}

fn first(address: &Address) -> Option<IpAddr> {
    address.range()?.iter().next()
}

fn transition(asked: &Asked<'_>) -> Result<Transition> {
    let of_port = asked.kind.as_str().starts_with("port.");
    if asked.port.is_some() && !of_port {
        bail!("--port: {} is not about a port", asked.kind);
    }
    let port = asked.port.unwrap_or(Port::tcp(22));
    let turns = |before, after, answer| turns(port, before, after, answer, asked.expected);
    let host = |before, after, suspect| Transition::Host {
        before,
        after,
        suspect,
    };
    let (open, up, down) = (PortState::Open, HostState::Up, HostState::Down);
    Ok(match asked.kind {
        ChangeKind::PortOpened => turns(PortState::Closed, open, Answer::SynAck),
        ChangeKind::PortClosed => turns(open, PortState::Closed, Answer::Rst),
        ChangeKind::PortFiltered => turns(open, PortState::Filtered, Answer::NoResponse),
        ChangeKind::PortService => Transition::Service {
            port,
            before: Service::default(),
            after: Service::default(),
        },
        ChangeKind::PortFlapping | ChangeKind::PortSteady => Transition::PortFlapping {
            port,
            begins: asked.kind == ChangeKind::PortFlapping,
            state: open,
        },
        ChangeKind::HostUp => host(down, up, false),
        ChangeKind::HostDown => host(up, down, false),
        ChangeKind::HostSuspect => host(up, up, true),
        ChangeKind::HostFlapping | ChangeKind::HostSteady => Transition::HostFlapping {
            begins: asked.kind == ChangeKind::HostFlapping,
            state: up,
        },
        ChangeKind::TargetAddress => Transition::Address {
            name: "name".to_owned(),
            before: Vec::new(),
            after: Vec::new(),
        },
        ChangeKind::TargetOverdue | ChangeKind::TargetScanned => Transition::Overdue {
            begins: asked.kind == ChangeKind::TargetOverdue,
            scanned_at: None,
        },
        ChangeKind::ZoneUnattended | ChangeKind::ZoneAttended => Transition::Unattended {
            begins: asked.kind == ChangeKind::ZoneUnattended,
        },
        ChangeKind::ChannelOff => Transition::Channel(ChannelEvent::Off {
            reason: SafeText::new("a sample"),
        }),
        ChangeKind::ChannelOn => Transition::Channel(ChannelEvent::On),
        ChangeKind::ChannelTest => Transition::Channel(ChannelEvent::Test),
    })
}

fn turns(
    port: Port,
    before: PortState,
    after: PortState,
    answer: Answer,
    expected: bool,
) -> Transition {
    Transition::Port {
        port,
        before,
        after,
        evidence: Evidence {
            answer,
            ttl: None,
            rtt: None,
            probes: 2,
        },
        expected,
        service: None,
    }
}
