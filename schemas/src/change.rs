//! Version 1 of the change: what one part of a snapshot changed of one host, or what became of a target, a zone or a channel.

mod transition;

use jiff::Timestamp;
use portwatch_domain::change::{
    About, Change, ChangeId, ChangeKind, Changes, MAX_CHANGES_TOLD, Severity,
};
use portwatch_domain::job::JobId;
use portwatch_domain::notification::words;
use portwatch_domain::ports::Protocol;
use portwatch_domain::target::{TargetId, TargetRef, Zone};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::{Message, OnWire};
use crate::error::{Misfit, Problem};
use crate::evidence::EvidenceWire;
use crate::service::ServiceWire;
use crate::snapshot::NonZeroPort;
use crate::text::{HostName, Ip, Text};

/// With `ip` about a host, without it but with a target about that, else about a zone or a channel.
#[derive(Serialize, Deserialize)]
pub struct ChangesWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Text<Zone>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    pub host: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<Text<Ip>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Uuid>,
    pub notify: bool,
    pub changes: Vec<ChangeWire>,
}

#[derive(Serialize, Deserialize)]
pub struct TargetWire {
    id: Uuid,
    name: String,
    group: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    /// Always written; older writers did not, and meant the default.
    zone: Option<Text<Zone>>,
}

/// One change. It stands by itself for a receiver that takes the list apart, and so repeats what is
/// said around it. The repetition and the words for people are written, never read back.
#[derive(Serialize, Deserialize)]
pub struct ChangeWire {
    change_id: Uuid,
    kind: Text<ChangeKind>,
    /// Always written; older writers did not.
    severity: Option<Text<Severity>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    quiet: bool,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_deserializing)]
    host: String,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    ip: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<Text<Protocol>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<NonZeroPort>,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<HostName>>,
    before: String,
    after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detected: Option<ServiceWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detected_before: Option<ServiceWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    at: Timestamp,
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl ChangeWire {
    fn new(of: &Changes, change: &Change) -> Self {
        let mut wire = Self {
            change_id: change.id.0,
            kind: Text(change.kind()),
            severity: Some(Text(change.severity)),
            quiet: change.quiet,
            target: of.target().map(|target| target.name.clone()),
            host: of.subject(),
            ip: of.ip().map(|ip| ip.to_string()),
            protocol: None,
            port: None,
            service: None,
            name: None,
            before: String::new(),
            after: String::new(),
            expected: None,
            evidence: None,
            detected: None,
            detected_before: None,
            scanned_at: None,
            reason: None,
            at: change.at,
            text: None,
        };
        wire.write(&change.transition);
        wire
    }

    /// With the sentence for people, which a notification carries.
    fn with_text(of: &Changes, change: &Change) -> Self {
        Self {
            text: Some(words::sentence(&of.subject(), change)),
            ..Self::new(of, change)
        }
    }
}

impl TryFrom<ChangeWire> for Change {
    type Error = Misfit;

    fn try_from(wire: ChangeWire) -> Result<Self, Misfit> {
        let found = wire.kind.0;
        let (id, quiet, at) = (ChangeId(wire.change_id), wire.quiet, wire.at);
        let severity = wire.severity.as_ref().map(|severity| severity.0);
        let transition = wire.read()?;
        let change = Self {
            id,
            severity: severity.unwrap_or_else(|| transition::usual_severity(&transition)),
            quiet,
            at,
            transition,
        };
        let expected = change.kind();
        if found == expected {
            Ok(change)
        } else {
            Err(Misfit::new("kind", Problem::Kind { found, expected }))
        }
    }
}

impl TargetWire {
    fn new(target: &TargetRef) -> Self {
        Self {
            id: target.id.0,
            name: target.name.clone(),
            group: target.group.clone(),
            tags: target.tags.clone(),
            zone: Some(Text(target.zone.clone())),
        }
    }

    fn read(self) -> TargetRef {
        TargetRef {
            id: TargetId(self.id),
            name: self.name,
            group: self.group,
            tags: self.tags,
            zone: self.zone.map_or_else(Zone::default, |zone| zone.0),
        }
    }
}

impl ChangesWire {
    /// The changes, each with its sentence for people.
    pub fn with_text(of: &Changes) -> Self {
        let mut wire = Self::from(of);
        let changes = of.changes.iter();
        wire.changes = changes
            .map(|change| ChangeWire::with_text(of, change))
            .collect();
        wire
    }

    fn about(&mut self) -> Result<About, Misfit> {
        let host = std::mem::take(&mut self.host);
        let (target, ip) = (self.target.take(), self.ip.take());
        match (target, ip, self.zone.take(), self.channel.take()) {
            (Some(target), Some(ip), None, None) => {
                let ip = ip.0.0;
                let name = if host == ip.to_string() {
                    None
                } else {
                    let name: Result<HostName, _> = host.parse();
                    Some(
                        name.map_err(|_| Misfit::new("host", Problem::Host(host)))?
                            .0,
                    )
                };
                let target = target.read();
                Ok(About::Host { target, ip, name })
            }
            (Some(target), None, None, None) => Ok(About::Target(target.read())),
            (None, None, Some(zone), None) => Ok(About::Zone(zone.0)),
            (None, None, None, Some(channel)) => Ok(About::Channel(channel)),
            _ => Err(Misfit::new("target", Problem::About)),
        }
    }
}

impl From<&Changes> for ChangesWire {
    fn from(of: &Changes) -> Self {
        let changes = of.changes.iter();
        Self {
            target: of.target().map(TargetWire::new),
            zone: match &of.about {
                About::Zone(zone) => Some(Text(zone.clone())),
                _ => None,
            },
            channel: match &of.about {
                About::Channel(channel) => Some(channel.clone()),
                _ => None,
            },
            host: of.subject(),
            ip: of.ip().map(|ip| Text(Ip(ip))),
            job: of.job.map(|job| job.0),
            notify: of.notify,
            changes: changes.map(|change| ChangeWire::new(of, change)).collect(),
        }
    }
}

impl TryFrom<ChangesWire> for Changes {
    type Error = Misfit;

    fn try_from(mut wire: ChangesWire) -> Result<Self, Misfit> {
        let about = wire.about()?;
        let (found, most) = (wire.changes.len(), MAX_CHANGES_TOLD);
        if found == 0 {
            return Err(Misfit::new("changes", Problem::Empty));
        }
        if found > most {
            return Err(Misfit::new("changes", Problem::TooMany { found, most }));
        }
        let changes = wire.changes.into_iter().enumerate().map(|(at, change)| {
            let outer = format!("changes[{at}]");
            let belongs = transition::belongs(change.kind.0, &about);
            belongs
                .and_then(|()| change.try_into())
                .map_err(|misfit: Misfit| misfit.below(&outer))
        });
        let changes = changes.collect::<Result<_, _>>()?;
        Ok(Self {
            about,
            notify: wire.notify,
            job: wire.job.map(JobId),
            changes,
        })
    }
}

impl OnWire for Changes {
    type Wire = ChangesWire;

    fn to_wire(&self) -> ChangesWire {
        self.into()
    }

    fn from_wire(wire: ChangesWire) -> Result<Self, Misfit> {
        wire.try_into()
    }
}

impl Message for Changes {
    const TYPE: &'static str = "io.portwatch.change.v1";
    const SCHEMA: &'static str = "urn:portwatch:schema:change:v1";

    /// The target's id and the host's address; the target's id; the zone; or the channel.
    fn subject(&self) -> String {
        match &self.about {
            About::Host { target, ip, .. } => format!("{}/{ip}", target.id),
            About::Target(target) => target.id.to_string(),
            About::Zone(zone) => zone.to_string(),
            About::Channel(channel) => channel.clone(),
        }
    }
}
