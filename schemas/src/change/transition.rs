//! A transition as the fields of a change.

use std::net::IpAddr;

use portwatch_domain::change::{About, ChangeKind, ChannelEvent, Severity, Transition};
use portwatch_domain::ports::{Port, service_name};
use portwatch_domain::snapshot::service::SafeText;
use portwatch_domain::snapshot::{HostState, PortState, Service};

use super::ChangeWire;
use crate::error::{Misfit, Problem};
use crate::service::ServiceWire;
use crate::snapshot::NonZeroPort;
use crate::text::{HostName, Ip, Text};

const OVERDUE: [&str; 2] = ["scanned", "overdue"];
const ATTENDED: [&str; 2] = ["unattended", "attended"];
const SWITCH: [&str; 2] = ["off", "on"];

impl ChangeWire {
    pub(super) fn write(&mut self, transition: &Transition) {
        if let Some(port) = transition.port() {
            self.protocol = Some(Text(port.protocol));
            self.port = Some(NonZeroPort(port.number));
            self.service = Some(service_name(port).unwrap_or("unknown").to_owned());
        }
        let (before, after) = match transition {
            Transition::Host { before, after, .. } => (before.to_string(), after.to_string()),
            Transition::Port { before, after, .. } => (before.to_string(), after.to_string()),
            Transition::Service { .. } => pair(&PortState::Open),
            Transition::PortFlapping { state, .. } => pair(state),
            Transition::HostFlapping { state, .. } => pair(state),
            Transition::Address { before, after, .. } => (written(before), written(after)),
            Transition::Overdue { begins, .. } => turn(OVERDUE, *begins),
            Transition::Unattended { begins } => turn(ATTENDED, !begins),
            Transition::Channel(ChannelEvent::Off { .. }) => turn(SWITCH, false),
            Transition::Channel(ChannelEvent::On) => turn(SWITCH, true),
            Transition::Channel(ChannelEvent::Test) => pair(&SWITCH[1]),
        };
        (self.before, self.after) = (before, after);
        match transition {
            Transition::Port {
                evidence,
                expected,
                service,
                ..
            } => {
                self.expected = Some(*expected);
                self.evidence = Some(evidence.into());
                self.detected = service.as_ref().map(ServiceWire::from);
            }
            Transition::Service { before, after, .. } => {
                self.detected_before = Some(before.into());
                self.detected = Some(after.into());
            }
            Transition::Address { name, .. } => self.name = Some(Text(HostName(name.clone()))),
            Transition::Overdue { scanned_at, .. } => self.scanned_at = *scanned_at,
            Transition::Channel(ChannelEvent::Off { reason }) => {
                self.reason = Some(reason.to_string());
            }
            Transition::Host { .. }
            | Transition::PortFlapping { .. }
            | Transition::HostFlapping { .. }
            | Transition::Unattended { .. }
            | Transition::Channel(ChannelEvent::On | ChannelEvent::Test) => {}
        }
    }

    pub(super) fn read(self) -> Result<Transition, Misfit> {
        let kind = self.kind.0;
        self.has_only(kind)?;
        match kind {
            ChangeKind::PortOpened | ChangeKind::PortClosed | ChangeKind::PortFiltered => {
                self.port_transition()
            }
            ChangeKind::PortService => self.service(),
            ChangeKind::PortFlapping | ChangeKind::PortSteady => Ok(Transition::PortFlapping {
                port: self.port()?,
                begins: kind == ChangeKind::PortFlapping,
                state: state("after", &self.after)?,
            }),
            ChangeKind::HostUp | ChangeKind::HostDown | ChangeKind::HostSuspect => {
                self.host_transition(kind)
            }
            ChangeKind::HostFlapping | ChangeKind::HostSteady => Ok(Transition::HostFlapping {
                begins: kind == ChangeKind::HostFlapping,
                state: state("after", &self.after)?,
            }),
            ChangeKind::TargetAddress => self.address(),
            ChangeKind::TargetOverdue | ChangeKind::TargetScanned => Ok(Transition::Overdue {
                begins: kind == ChangeKind::TargetOverdue,
                scanned_at: self.scanned_at,
            }),
            ChangeKind::ZoneUnattended | ChangeKind::ZoneAttended => Ok(Transition::Unattended {
                begins: kind == ChangeKind::ZoneUnattended,
            }),
            ChangeKind::ChannelOff => Ok(Transition::Channel(ChannelEvent::Off {
                reason: SafeText::new(&self.reason.ok_or_else(|| missing("reason"))?),
            })),
            ChangeKind::ChannelOn => Ok(Transition::Channel(ChannelEvent::On)),
            ChangeKind::ChannelTest => Ok(Transition::Channel(ChannelEvent::Test)),
        }
    }

    /// Fields that a change of this kind cannot have.
    fn has_only(&self, kind: ChangeKind) -> Result<(), Misfit> {
        use ChangeKind as K;
        let of_port = matches!(kind, K::PortOpened | K::PortClosed | K::PortFiltered);
        let names_port =
            of_port || matches!(kind, K::PortService | K::PortFlapping | K::PortSteady);
        for (name, is_there, belongs) in [
            ("protocol", self.protocol.is_some(), names_port),
            ("port", self.port.is_some(), names_port),
            ("expected", self.expected.is_some(), of_port),
            ("evidence", self.evidence.is_some(), of_port),
            (
                "detected",
                self.detected.is_some(),
                of_port || kind == K::PortService,
            ),
            (
                "detected_before",
                self.detected_before.is_some(),
                kind == K::PortService,
            ),
            ("name", self.name.is_some(), kind == K::TargetAddress),
            (
                "scanned_at",
                self.scanned_at.is_some(),
                matches!(kind, K::TargetOverdue | K::TargetScanned),
            ),
            ("reason", self.reason.is_some(), kind == K::ChannelOff),
        ] {
            if is_there && !belongs {
                return Err(Misfit::new(name, Problem::Surplus(kind)));
            }
        }
        Ok(())
    }

    fn port(&self) -> Result<Port, Misfit> {
        let protocol = self.protocol.as_ref().map(|protocol| protocol.0);
        let number = self.port.as_ref().map(|number| number.0);
        Ok(Port {
            protocol: protocol.ok_or_else(|| missing("protocol"))?,
            number: number.ok_or_else(|| missing("port"))?,
        })
    }

    fn host_transition(&self, kind: ChangeKind) -> Result<Transition, Misfit> {
        let before: HostState = state("before", &self.before)?;
        let after: HostState = state("after", &self.after)?;
        let suspect = kind == ChangeKind::HostSuspect;
        if after == HostState::Unknown {
            return Err(Misfit::new("after", Problem::Unknown));
        }
        // A host can become suspect while it stays up.
        if before == after && !suspect {
            return Err(Misfit::new("after", Problem::Unchanged));
        }
        Ok(Transition::Host {
            before,
            after,
            suspect,
        })
    }

    fn port_transition(self) -> Result<Transition, Misfit> {
        let port = self.port()?;
        let before: PortState = state("before", &self.before)?;
        let after: PortState = state("after", &self.after)?;
        if after == PortState::Unknown {
            return Err(Misfit::new("after", Problem::Unknown));
        }
        if before == after {
            return Err(Misfit::new("after", Problem::Unchanged));
        }
        if self.detected.is_some() && after != PortState::Open {
            return Err(Misfit::new("detected", Problem::NotOpen));
        }
        let evidence = self.evidence.ok_or_else(|| missing("evidence"))?;
        let service = self.detected.map(|wire| service("detected", wire));
        Ok(Transition::Port {
            port,
            before,
            after,
            evidence: evidence.try_into()?,
            expected: self.expected.ok_or_else(|| missing("expected"))?,
            service: service.transpose()?,
        })
    }

    fn service(self) -> Result<Transition, Misfit> {
        let port = self.port()?;
        let before = self
            .detected_before
            .ok_or_else(|| missing("detected_before"))?;
        let after = self.detected.ok_or_else(|| missing("detected"))?;
        Ok(Transition::Service {
            port,
            before: service("detected_before", before)?,
            after: service("detected", after)?,
        })
    }

    fn address(self) -> Result<Transition, Misfit> {
        let name = self.name.ok_or_else(|| missing("name"))?;
        let before = addresses("before", &self.before)?;
        let after = addresses("after", &self.after)?;
        if before == after {
            return Err(Misfit::new("after", Problem::Unchanged));
        }
        Ok(Transition::Address {
            name: name.0.0,
            before,
            after,
        })
    }
}

/// How much a change matters of which an older writer did not say it: a port that opened against expectation is
/// not to be overlooked.
pub(super) fn usual_severity(transition: &Transition) -> Severity {
    match transition {
        Transition::Port {
            before: PortState::Closed | PortState::Filtered,
            after: PortState::Open,
            expected: false,
            ..
        } => Severity::High,
        other => Severity::of(other),
    }
}

/// Whether a change of this kind can be told about that.
pub(super) fn belongs(kind: ChangeKind, about: &About) -> Result<(), Misfit> {
    use ChangeKind as K;
    let found = match about {
        About::Host { .. } => "a host",
        About::Target(_) => "a target",
        About::Zone(_) => "a zone",
        About::Channel(_) => "a channel",
    };
    let expected = match kind {
        K::TargetAddress | K::TargetOverdue | K::TargetScanned => "a target",
        K::ZoneUnattended | K::ZoneAttended => "a zone",
        K::ChannelOff | K::ChannelOn | K::ChannelTest => "a channel",
        K::PortOpened
        | K::PortClosed
        | K::PortFiltered
        | K::PortFlapping
        | K::PortSteady
        | K::PortService
        | K::HostUp
        | K::HostDown
        | K::HostSuspect
        | K::HostFlapping
        | K::HostSteady => "a host",
    };
    if found == expected {
        Ok(())
    } else {
        let problem = Problem::Elsewhere { kind, about: found };
        Err(Misfit::new("kind", problem))
    }
}

fn missing(name: &str) -> Misfit {
    Misfit::new(name, Problem::Missing)
}

fn pair(state: &impl ToString) -> (String, String) {
    (state.to_string(), state.to_string())
}

/// The first word to the second, or back.
fn turn([first, second]: [&str; 2], forth: bool) -> (String, String) {
    let (before, after) = if forth {
        (first, second)
    } else {
        (second, first)
    };
    (before.to_owned(), after.to_owned())
}

fn written(addresses: &[IpAddr]) -> String {
    let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    texts.join(" ")
}

fn addresses(field: &str, text: &str) -> Result<Vec<IpAddr>, Misfit> {
    let read = |word: &str| {
        let ip: Result<Ip, _> = word.parse();
        ip.map(|ip| ip.0).map_err(|error| Misfit::new(field, error))
    };
    let found: Vec<IpAddr> = text
        .split_whitespace()
        .map(read)
        .collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(Misfit::new(field, Problem::Empty));
    }
    Ok(found)
}

fn service(field: &str, wire: ServiceWire) -> Result<Service, Misfit> {
    Service::try_from(wire).map_err(|misfit: Misfit| misfit.below(field))
}

fn state<T>(field: &str, word: &str) -> Result<T, Misfit>
where
    T: std::str::FromStr<Err = portwatch_domain::spelling::UnknownWord>,
{
    word.parse().map_err(|error| Misfit::new(field, error))
}
