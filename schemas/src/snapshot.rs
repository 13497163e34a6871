//! Version 1 of the snapshot.

use std::num::NonZeroU16;

use jiff::Timestamp;
use portwatch_domain::job::JobId;
use portwatch_domain::ports::{Port, Protocol};
use portwatch_domain::snapshot::{
    HostReport, HostState, Method, PART_HOSTS, PortState, PortVerdict, Service, Snapshot,
};
use portwatch_domain::target::TargetId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::envelope::{Message, OnWire};
use crate::error::{Misfit, Problem};
use crate::evidence::EvidenceWire;
use crate::job::check_hosts;
use crate::service::ServiceWire;
use crate::text::{HostName, Ip, Ports, Text};

#[derive(Serialize, Deserialize)]
pub struct SnapshotWire {
    job: Uuid,
    target_id: Uuid,
    run: u64,
    part: u32,
    parts: u32,
    method: Text<Method>,
    worker: String,
    started_at: Timestamp,
    finished_at: Timestamp,
    hosts: Vec<HostWire>,
}

#[derive(Serialize, Deserialize)]
struct HostWire {
    ip: Text<Ip>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<Text<HostName>>,
    state: Text<HostState>,
    suspect: bool,
    coverage: Text<Ports>,
    ports: Vec<VerdictWire>,
    filtered: Text<Ports>,
}

#[derive(Serialize, Deserialize)]
struct VerdictWire {
    protocol: Text<Protocol>,
    port: NonZeroPort,
    state: Text<PortState>,
    evidence: EvidenceWire,
    #[serde(skip_serializing_if = "Option::is_none")]
    detected: Option<ServiceWire>,
}

/// A port number; 0, which is none, is written as it is and refused when read.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(try_from = "NonZeroU16", into = "u16")]
pub struct NonZeroPort(pub u16);

impl From<NonZeroU16> for NonZeroPort {
    fn from(number: NonZeroU16) -> Self {
        Self(number.get())
    }
}

impl From<NonZeroPort> for u16 {
    fn from(port: NonZeroPort) -> Self {
        port.0
    }
}

impl From<&Snapshot> for SnapshotWire {
    fn from(snapshot: &Snapshot) -> Self {
        Self {
            job: snapshot.job.0,
            target_id: snapshot.target.0,
            run: snapshot.run,
            part: snapshot.part,
            parts: snapshot.parts,
            method: Text(snapshot.method),
            worker: snapshot.worker.clone(),
            started_at: snapshot.started_at,
            finished_at: snapshot.finished_at,
            hosts: snapshot.hosts.iter().map(HostWire::from).collect(),
        }
    }
}

impl From<&HostReport> for HostWire {
    fn from(report: &HostReport) -> Self {
        let verdict = |verdict: &PortVerdict| VerdictWire {
            protocol: Text(verdict.port.protocol),
            port: NonZeroPort(verdict.port.number),
            state: Text(verdict.state),
            evidence: (&verdict.evidence).into(),
            detected: verdict.service.as_ref().map(ServiceWire::from),
        };
        Self {
            ip: Text(Ip(report.ip)),
            name: report.name.clone().map(HostName).map(Text),
            state: Text(report.state),
            suspect: report.suspect,
            coverage: Text(Ports(report.coverage.clone())),
            ports: report.ports.iter().map(verdict).collect(),
            filtered: Text(Ports(report.filtered.clone())),
        }
    }
}

impl TryFrom<SnapshotWire> for Snapshot {
    type Error = Misfit;

    fn try_from(wire: SnapshotWire) -> Result<Self, Misfit> {
        let mut hosts = Vec::with_capacity(wire.hosts.len());
        for (at, host) in wire.hosts.into_iter().enumerate() {
            let report = HostReport::try_from(host)
                .map_err(|misfit| misfit.below(&format!("hosts[{at}]")))?;
            let checked = report.check();
            checked.map_err(|error| Misfit::new(format!("hosts[{at}]"), error))?;
            hosts.push(report);
        }
        let snapshot = Self {
            job: JobId(wire.job),
            target: TargetId(wire.target_id),
            run: wire.run,
            part: wire.part,
            parts: wire.parts,
            method: wire.method.0,
            worker: wire.worker,
            started_at: wire.started_at,
            finished_at: wire.finished_at,
            hosts,
        };
        check(&snapshot).map(|()| snapshot)
    }
}

impl TryFrom<HostWire> for HostReport {
    type Error = Misfit;

    fn try_from(wire: HostWire) -> Result<Self, Misfit> {
        let mut ports = Vec::with_capacity(wire.ports.len());
        for (at, verdict) in wire.ports.into_iter().enumerate() {
            let evidence = verdict.evidence.try_into();
            let service = verdict.detected.map(Service::try_from).transpose();
            ports.push(PortVerdict {
                port: Port {
                    protocol: verdict.protocol.0,
                    number: verdict.port.0,
                },
                state: verdict.state.0,
                evidence: evidence
                    .map_err(|misfit: Misfit| misfit.below(&format!("ports[{at}]")))?,
                service: service
                    .map_err(|misfit: Misfit| misfit.below(&format!("ports[{at}].detected")))?,
            });
        }
        Ok(Self {
            ip: wire.ip.0.0,
            name: wire.name.map(|name| name.0.0),
            state: wire.state.0,
            suspect: wire.suspect,
            coverage: wire.coverage.0.0,
            ports,
            filtered: wire.filtered.0.0,
        })
    }
}

fn check(snapshot: &Snapshot) -> Result<(), Misfit> {
    if snapshot.run == 0 {
        return Err(Misfit::new("run", Problem::Zero));
    }
    let (part, parts) = (snapshot.part, snapshot.parts);
    if part >= parts {
        return Err(Misfit::new("part", Problem::Part { part, parts }));
    }
    check_hosts(snapshot.hosts.iter().map(|host| host.ip), PART_HOSTS)
}

impl OnWire for Snapshot {
    type Wire = SnapshotWire;

    fn to_wire(&self) -> SnapshotWire {
        self.into()
    }

    fn from_wire(wire: SnapshotWire) -> Result<Self, Misfit> {
        wire.try_into()
    }
}

impl Message for Snapshot {
    const TYPE: &'static str = "io.portwatch.snapshot.v1";
    const SCHEMA: &'static str = "urn:portwatch:schema:snapshot:v1";

    /// The job's id and the part.
    fn subject(&self) -> String {
        format!("{}/{}", self.job, self.part)
    }
}
