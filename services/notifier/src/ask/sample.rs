//! A change to try routes with.

use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::change::{
    About, Change, ChangeId, ChangeKind, ChannelEvent, Severity, Transition,
};
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::service::SafeText;
use portwatch_domain::snapshot::{Answer, Evidence, HostState, PortState, Service};
use portwatch_domain::target::{Address, Target};
use uuid::Uuid;

use super::{AskError, Asked};

/// The change, and what it is about.
pub(super) fn sample(asked: &Asked, target: Option<&Target>) -> Result<(About, Change), AskError> {
    let transition = transition(asked)?;
    let change = Change {
        id: ChangeId(Uuid::nil()),
        severity: asked.severity.unwrap_or_else(|| Severity::of(&transition)),
        transition,
        quiet: false,
        at: Timestamp::now(),
    };
    Ok((about(asked, target)?, change))
}

fn about(asked: &Asked, target: Option<&Target>) -> Result<About, AskError> {
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
        return match &asked.channel {
            Some(channel) if of_channel => Ok(About::Channel(channel.clone())),
            Some(_) => Err(AskError::needs(asked.kind, "no channel", "target")),
            None => Err(AskError::needs(asked.kind, "a channel", "channel")),
        };
    }
    match (target, &asked.zone) {
        (_, Some(zone)) if of_zone => Ok(About::Zone(zone.clone())),
        (Some(_), _) if of_zone => Err(AskError::needs(asked.kind, "a zone", "zone")),
        (Some(target), _) if of_target => Ok(About::Target(target.reference())),
        (Some(target), _) => {
            let first = target.addresses.iter().find_map(first);
            let Some(ip) = asked.host.or(first) else {
                return Err(AskError::NoAddress(target.name.clone()));
            };
            Ok(About::Host {
                target: target.reference(),
                ip,
                name: asked.host_name.clone(),
            })
        }
        (None, _) => Err(AskError::needs(asked.kind, "a target", "target")),
    }
}

fn first(address: &Address) -> Option<IpAddr> {
    address.range()?.iter().next()
}

fn transition(asked: &Asked) -> Result<Transition, AskError> {
    let of_port = asked.kind.as_str().starts_with("port.");
    if asked.port.is_some() && !of_port {
        return Err(AskError::NoPort(asked.kind));
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
