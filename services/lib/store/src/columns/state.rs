//! Host and port records as rows.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use portwatch_domain::change::{Findings, Flapping, HostRecord, PortRecord};
use portwatch_domain::ports::Port;
use portwatch_domain::snapshot::{Evidence, PortState};

use super::{Confirmation, Unreadable, cut, number, parse, port_set, runs, service, signed, soft};

/// A row of `hosts`, without its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostColumns {
    pub(crate) ip: IpAddr,
    pub(crate) name: Option<String>,
    pub(crate) state: String,
    pub(crate) suspect: bool,
    pub(crate) since: Option<Timestamp>,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) last_run: i64,
    pub(crate) transition: i64,
    pub(crate) baseline: String,
    pub(crate) confirmed_at: Option<Timestamp>,
    pub(crate) left_behind: String,
    pub(crate) soft: Option<String>,
    pub(crate) flapping: i32,
    pub(crate) runs: Option<String>,
    /// Only read: what is approved is written by nobody but who approves.
    pub(crate) approved: Option<String>,
    pub(crate) unexpected_open: i32,
    pub(crate) expected_closed: i32,
    pub(crate) open_ports: i32,
}

/// A row of `ports`, without its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PortColumns {
    pub(crate) ip: IpAddr,
    pub(crate) protocol: String,
    pub(crate) port: i32,
    pub(crate) state: String,
    pub(crate) since: Timestamp,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) transition: i64,
    pub(crate) evidence: EvidenceColumns,
    pub(crate) service: Option<String>,
    pub(crate) soft: Option<String>,
    pub(crate) flapping: i32,
}

/// The columns that tell why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EvidenceColumns {
    pub(crate) answer: String,
    pub(crate) ttl: Option<i16>,
    pub(crate) rtt_us: Option<i64>,
    pub(crate) probes: i32,
}

impl From<&Evidence> for EvidenceColumns {
    fn from(evidence: &Evidence) -> Self {
        Self {
            answer: evidence.answer.to_string(),
            ttl: evidence.ttl.map(i16::from),
            rtt_us: evidence
                .rtt
                .map(|rtt| i64::try_from(rtt.as_micros()).unwrap_or(i64::MAX)),
            probes: evidence.probes.into(),
        }
    }
}

impl EvidenceColumns {
    pub(crate) fn evidence(&self) -> Result<Evidence, Unreadable> {
        let rtt = self.rtt_us.map(|rtt| number("rtt_us", rtt)).transpose()?;
        Ok(Evidence {
            answer: parse("answer", &self.answer)?,
            ttl: self.ttl.map(|ttl| number("ttl", ttl.into())).transpose()?,
            rtt: rtt.map(Duration::from_micros),
            probes: number("probes", self.probes.into())?,
        })
    }
}

impl From<&HostRecord> for HostColumns {
    fn from(host: &HostRecord) -> Self {
        let confirmation = Confirmation::of(&host.ports);
        Self {
            ip: host.ip,
            name: host.name.clone(),
            state: host.state.to_string(),
            suspect: host.suspect,
            since: host.since.map(cut),
            last_seen: host.last_seen.map(cut),
            last_run: signed(host.runs.newest()),
            transition: signed(host.transition),
            baseline: host.baseline.to_string(),
            confirmed_at: confirmation.at(),
            left_behind: confirmation.left_behind(),
            soft: host.soft.as_ref().and_then(soft::of_host),
            flapping: flapping_bits(host.flapping),
            runs: runs::to_text(&host.runs, &host.baseline),
            approved: host.approved.as_ref().map(ToString::to_string),
            unexpected_open: count(host.findings.unexpected_open),
            expected_closed: count(host.findings.expected_closed),
            open_ports: open_ports(host),
        }
    }
}

impl HostColumns {
    fn record(self) -> Result<HostRecord, Unreadable> {
        let baseline = port_set("baseline", &self.baseline)?;
        let last_run = number("last_run", self.last_run)?;
        Ok(HostRecord {
            ip: self.ip,
            name: self.name,
            state: parse("state", &self.state)?,
            suspect: self.suspect,
            since: self.since,
            last_seen: self.last_seen,
            soft: self.soft.as_deref().map(soft::host).transpose()?,
            flapping: flapping(self.flapping),
            runs: runs::from_text(self.runs.as_deref(), last_run, &baseline)?,
            transition: number("transition", self.transition)?,
            baseline,
            approved: self
                .approved
                .map(|approved| port_set("approved", &approved))
                .transpose()?,
            findings: Findings {
                unexpected_open: number("unexpected_open", self.unexpected_open.into())?,
                expected_closed: number("expected_closed", self.expected_closed.into())?,
            },
            ports: BTreeMap::new(),
        })
    }
}

impl PortColumns {
    pub(crate) fn new(ip: IpAddr, port: Port, record: &PortRecord) -> Self {
        Self {
            ip,
            protocol: port.protocol.to_string(),
            port: port.number.into(),
            state: record.state.to_string(),
            since: cut(record.since),
            first_seen: cut(record.first_seen),
            last_seen: cut(record.last_seen),
            transition: signed(record.transition),
            evidence: (&record.evidence).into(),
            service: record.service.as_ref().and_then(service::to_json),
            soft: record.soft.as_deref().and_then(soft::of_port),
            flapping: flapping_bits(record.flapping),
        }
    }

    fn record(&self) -> Result<(Port, PortRecord), Unreadable> {
        let port = Port {
            protocol: parse("protocol", &self.protocol)?,
            number: number("port", self.port.into())?,
        };
        let record = PortRecord {
            state: parse("state", &self.state)?,
            since: self.since,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            transition: number("transition", self.transition)?,
            evidence: self.evidence.evidence()?,
            service: self
                .service
                .as_deref()
                .map(service::from_json)
                .transpose()?,
            soft: self
                .soft
                .as_deref()
                .map(soft::port)
                .transpose()?
                .map(Box::new),
            flapping: flapping(self.flapping),
        };
        Ok((port, record))
    }
}

/// Bit 20 of the column: it flaps. Those below it are the last verdicts.
const FLAPS: i32 = 1 << 20;

pub(super) fn flapping_bits(flapping: Flapping) -> i32 {
    let window = i32::try_from(flapping.window).unwrap_or(0) & (FLAPS - 1);
    window | if flapping.flaps { FLAPS } else { 0 }
}

pub(super) fn flapping(bits: i32) -> Flapping {
    Flapping {
        window: u32::try_from(bits & (FLAPS - 1)).unwrap_or(0),
        flaps: bits & FLAPS != 0,
    }
}

/// How many ports, of which a host has not even 2¹⁸.
fn count(ports: u32) -> i32 {
    i32::try_from(ports).unwrap_or(i32::MAX)
}

fn open_ports(host: &HostRecord) -> i32 {
    let open = host.ports.values();
    let open = open.filter(|port| port.state == PortState::Open).count();
    i32::try_from(open).unwrap_or(i32::MAX)
}

/// A host's ports.
pub(crate) type Ports = BTreeMap<Port, PortRecord>;

/// Puts the rows of hosts and of their ports together, by address.
pub(crate) fn assemble(
    hosts: Vec<HostColumns>,
    ports: &[PortColumns],
) -> Result<BTreeMap<IpAddr, HostRecord>, Unreadable> {
    assemble_from(hosts, by_host(ports)?)
}

/// What stands in rows of ports, by host.
pub(crate) fn by_host(ports: &[PortColumns]) -> Result<BTreeMap<IpAddr, Ports>, Unreadable> {
    let mut by_host: BTreeMap<IpAddr, Ports> = BTreeMap::new();
    for row in ports {
        let (port, record) = row.record()?;
        by_host.entry(row.ip).or_default().insert(port, record);
    }
    Ok(by_host)
}

/// Puts the rows of hosts together with their ports, each as its own row has it.
pub(crate) fn assemble_from(
    hosts: Vec<HostColumns>,
    mut ports: BTreeMap<IpAddr, Ports>,
) -> Result<BTreeMap<IpAddr, HostRecord>, Unreadable> {
    let mut records = BTreeMap::new();
    for row in hosts {
        let confirmation = Confirmation::read(row.confirmed_at, &row.left_behind)?;
        let mut host = row.record()?;
        host.ports = ports.remove(&host.ip).unwrap_or_default();
        for (&port, record) in &mut host.ports {
            record.last_seen = confirmation.last_seen(port, record.last_seen);
        }
        records.insert(host.ip, host);
    }
    Ok(records)
}
