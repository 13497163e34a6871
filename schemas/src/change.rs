//! Version 1 of the change: what one part of a snapshot changed of one host.

use jiff::Timestamp;
use portwatch_domain::change::{
    Change, ChangeId, ChangeKind, HostChanges, MAX_CHANGES_TOLD, Transition,
};
use portwatch_domain::job::JobId;
use portwatch_domain::notification::words;
use portwatch_domain::ports::{Port, Protocol, service_name};
use portwatch_domain::snapshot::{HostState, PortState, Service};
use portwatch_domain::target::TargetId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::{Message, OnWire};
use crate::error::{Misfit, Problem};
use crate::evidence::EvidenceWire;
use crate::service::ServiceWire;
use crate::snapshot::NonZeroPort;
use crate::text::{HostName, Ip, Text};

#[derive(Serialize, Deserialize)]
pub struct HostChangesWire {
    pub target: TargetWire,
    pub host: String,
    pub ip: Text<Ip>,
    pub job: Uuid,
    pub notify: bool,
    pub changes: Vec<ChangeWire>,
}

#[derive(Serialize, Deserialize)]
pub struct TargetWire {
    id: Uuid,
    name: String,
    group: String,
}

/// One change. It stands by itself for a receiver that takes the list apart, and so repeats what is
/// said around it. The repetition and the words for people are written, never read back.
#[derive(Serialize, Deserialize)]
pub struct ChangeWire {
    change_id: Uuid,
    kind: Text<ChangeKind>,
    #[serde(skip_deserializing)]
    target: String,
    #[serde(skip_deserializing)]
    host: String,
    #[serde(skip_deserializing)]
    ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Text<Protocol>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<NonZeroPort>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    before: String,
    after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detected: Option<ServiceWire>,
    at: Timestamp,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl ChangeWire {
    fn new(of: &HostChanges, change: &Change) -> Self {
        let mut wire = Self {
            change_id: change.id.0,
            kind: Text(change.kind()),
            target: of.target_name.clone(),
            host: of.host(),
            ip: of.ip.to_string(),
            protocol: None,
            port: None,
            service: None,
            before: String::new(),
            after: String::new(),
            expected: None,
            evidence: None,
            detected: None,
            at: change.at,
            text: None,
        };
        match &change.transition {
            Transition::Host { before, after, .. } => {
                (wire.before, wire.after) = (before.to_string(), after.to_string());
            }
            Transition::Port {
                port,
                before,
                after,
                evidence,
                expected,
                service,
            } => {
                wire.protocol = Some(Text(port.protocol));
                wire.port = Some(NonZeroPort(port.number));
                wire.service = Some(service_name(*port).unwrap_or("unknown").to_owned());
                (wire.before, wire.after) = (before.to_string(), after.to_string());
                wire.expected = Some(*expected);
                wire.evidence = Some(evidence.into());
                wire.detected = service.as_ref().map(ServiceWire::from);
            }
        }
        wire
    }

    /// With the sentence for people, which a notification carries.
    fn with_text(of: &HostChanges, change: &Change) -> Self {
        Self {
            text: Some(words::sentence(&of.host(), change)),
            ..Self::new(of, change)
        }
    }
}

impl TryFrom<ChangeWire> for Change {
    type Error = Misfit;

    fn try_from(wire: ChangeWire) -> Result<Self, Misfit> {
        let (id, at, kind) = (ChangeId(wire.change_id), wire.at, wire.kind.0);
        let transition = match kind {
            ChangeKind::HostUp | ChangeKind::HostDown | ChangeKind::HostSuspect => {
                host_transition(&wire, kind)?
            }
            ChangeKind::PortOpened | ChangeKind::PortClosed | ChangeKind::PortFiltered => {
                port_transition(wire)?
            }
        };
        let change = Self { id, transition, at };
        let expected = change.kind();
        if kind == expected {
            Ok(change)
        } else {
            let found = kind;
            Err(Misfit::new("kind", Problem::Kind { found, expected }))
        }
    }
}

fn host_transition(wire: &ChangeWire, kind: ChangeKind) -> Result<Transition, Misfit> {
    for (name, is_there) in [
        ("protocol", wire.protocol.is_some()),
        ("port", wire.port.is_some()),
        ("expected", wire.expected.is_some()),
        ("evidence", wire.evidence.is_some()),
        ("detected", wire.detected.is_some()),
    ] {
        if is_there {
            return Err(Misfit::new(name, Problem::HostHas));
        }
    }
    let before: HostState = state("before", &wire.before)?;
    let after: HostState = state("after", &wire.after)?;
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

fn port_transition(wire: ChangeWire) -> Result<Transition, Misfit> {
    let missing = |name: &str| Misfit::new(name, Problem::PortOnly);
    let protocol = wire.protocol.ok_or_else(|| missing("protocol"))?.0;
    let number = wire.port.ok_or_else(|| missing("port"))?.0;
    let before: PortState = state("before", &wire.before)?;
    let after: PortState = state("after", &wire.after)?;
    if after == PortState::Unknown {
        return Err(Misfit::new("after", Problem::Unknown));
    }
    if before == after {
        return Err(Misfit::new("after", Problem::Unchanged));
    }
    if wire.detected.is_some() && after != PortState::Open {
        return Err(Misfit::new("detected", Problem::NotOpen));
    }
    let evidence = wire.evidence.ok_or_else(|| missing("evidence"))?;
    let service = wire.detected.map(Service::try_from).transpose();
    Ok(Transition::Port {
        port: Port { protocol, number },
        before,
        after,
        evidence: evidence.try_into()?,
        expected: wire.expected.ok_or_else(|| missing("expected"))?,
        service: service.map_err(|misfit: Misfit| misfit.below("detected"))?,
    })
}

fn state<T>(field: &str, word: &str) -> Result<T, Misfit>
where
    T: std::str::FromStr<Err = portwatch_domain::spelling::UnknownWord>,
{
    word.parse().map_err(|error| Misfit::new(field, error))
}

impl HostChangesWire {
    /// The changes, each with its sentence for people.
    pub fn with_text(of: &HostChanges) -> Self {
        let mut wire = Self::from(of);
        let changes = of.changes.iter();
        wire.changes = changes
            .map(|change| ChangeWire::with_text(of, change))
            .collect();
        wire
    }
}

impl From<&HostChanges> for HostChangesWire {
    fn from(of: &HostChanges) -> Self {
        let changes = of.changes.iter();
        Self {
            target: TargetWire {
                id: of.target.0,
                name: of.target_name.clone(),
                group: of.group.clone(),
            },
            host: of.host(),
            ip: Text(Ip(of.ip)),
            job: of.job.0,
            notify: of.notify,
            changes: changes.map(|change| ChangeWire::new(of, change)).collect(),
        }
    }
}

impl TryFrom<HostChangesWire> for HostChanges {
    type Error = Misfit;

    fn try_from(wire: HostChangesWire) -> Result<Self, Misfit> {
        let ip = wire.ip.0.0;
        let host_name = if wire.host == ip.to_string() {
            None
        } else {
            let name: Result<HostName, _> = wire.host.parse();
            let name = name.map_err(|_| Misfit::new("host", Problem::Host(wire.host)))?;
            Some(name.0)
        };
        let (found, most) = (wire.changes.len(), MAX_CHANGES_TOLD);
        if found == 0 {
            return Err(Misfit::new("changes", Problem::Empty));
        }
        if found > most {
            return Err(Misfit::new("changes", Problem::TooMany { found, most }));
        }
        let changes = wire.changes.into_iter().enumerate().map(|(at, change)| {
            let outer = format!("changes[{at}]");
            change
                .try_into()
                .map_err(|misfit: Misfit| misfit.below(&outer))
        });
        Ok(Self {
            target: TargetId(wire.target.id),
            target_name: wire.target.name,
            group: wire.target.group,
            notify: wire.notify,
            job: JobId(wire.job),
            ip,
            host_name,
            changes: changes.collect::<Result<_, _>>()?,
        })
    }
}

impl OnWire for HostChanges {
    type Wire = HostChangesWire;

    fn to_wire(&self) -> HostChangesWire {
        self.into()
    }

    fn from_wire(wire: HostChangesWire) -> Result<Self, Misfit> {
        wire.try_into()
    }
}

impl Message for HostChanges {
    const TYPE: &'static str = "io.portwatch.change.v1";
    const SCHEMA: &'static str = "urn:portwatch:schema:change:v1";

    /// The target's id and the host's address.
    fn subject(&self) -> String {
        format!("{}/{}", self.target, self.ip)
    }
}
