//! What was seen of one host, in the order in which every format prints it.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::Timestamp;
use portwatch_domain::job::Job;
use portwatch_domain::ports::{Port, PortSet, Protocol};
use portwatch_domain::snapshot::{Evidence, HostReport, HostState, PortState, Service};
use portwatch_scanner::Scan;

/// What a UDP port is from which nothing came back.
pub const OPEN_OR_FILTERED: &str = "open|filtered";

/// One host.
pub struct Seen<'a> {
    /// As the scanner told it.
    pub report: &'a HostReport,
    /// What is told by itself, by port: everything that is covered and not closed, and what is open or filtered.
    pub rows: Vec<Row<'a>>,
    /// All ports that were asked of it.
    pub asked: &'a PortSet,
    /// Ports that are closed.
    pub closed: usize,
    /// And of those, the UDP ports.
    pub closed_udp: usize,
    /// Ports of which nothing can be said.
    pub unknown: usize,
    /// When the first probe of its job was sent.
    pub started_at: Timestamp,
    /// When the last verdict of its job was made.
    pub finished_at: Timestamp,
}

/// One port that is not closed.
pub struct Row<'a> {
    /// The port.
    pub port: Port,
    /// Its state; [`PortState::Unknown`] for a UDP port that may be open or filtered.
    pub state: PortState,
    /// Why, if it was noted; a filtered port without is one that did not answer.
    pub evidence: Option<Evidence>,
    /// What listens there, if it was asked.
    pub service: Option<&'a Service>,
}

impl<'a> Seen<'a> {
    /// The name under which the host is scanned, or its address.
    pub fn host(&self) -> String {
        let name = self.report.name.clone();
        name.unwrap_or_else(|| self.report.ip.to_string())
    }

    /// The ports that are closed, and those of which nothing can be said.
    pub fn rest(&self) -> [PortSet; 2] {
        let rows: PortSet = self.rows.iter().map(|row| row.port).collect();
        let closed = self.report.coverage.difference(&rows);
        let unknown = self.asked.difference(&closed).difference(&rows);
        [closed, unknown]
    }

    /// The rows with this state.
    pub fn with(&self, state: PortState) -> impl Iterator<Item = &Row<'a>> {
        self.rows.iter().filter(move |row| row.state == state)
    }
}

impl Row<'_> {
    /// The state in a word.
    pub const fn state(&self) -> &'static str {
        match self.state {
            PortState::Unknown => OPEN_OR_FILTERED,
            state => state.as_str(),
        }
    }

    /// The answer in a word: `syn-ack`, `no-response`, `icmp-unreachable(13)`.
    pub fn reason(&self) -> String {
        let answer = self.evidence.map(|evidence| evidence.answer.to_string());
        answer.unwrap_or_else(|| "no-response".to_owned())
    }

    /// Time to live of the answer.
    pub fn ttl(&self) -> Option<u8> {
        self.evidence.and_then(|evidence| evidence.ttl)
    }
}

/// The hosts of a job, in its order.
pub fn hosts<'a>(job: &'a Job, scan: &'a Scan) -> impl Iterator<Item = Seen<'a>> {
    let mut rejected: HashMap<IpAddr, HashMap<Port, Evidence>> = HashMap::new();
    for one in &scan.rejected {
        let ports = rejected.entry(one.ip.to_canonical()).or_default();
        ports.insert(one.port, one.evidence);
    }
    let mut undecided: HashMap<IpAddr, &PortSet> = HashMap::new();
    undecided.extend(scan.undecided.iter().map(|(ip, ports)| (*ip, ports)));
    let nothing = PortSet::empty();
    scan.hosts.iter().map(move |report| {
        let ip = report.ip.to_canonical();
        let rejected = rejected.remove(&ip);
        // Of a host that is not there, or answers open on everything, nothing is said.
        let told = report.state == HostState::Up && !report.suspect;
        let undecided = undecided.remove(&ip).filter(|_| told);
        let undecided = undecided.unwrap_or(&nothing);
        let rows = rows(report, &rejected.unwrap_or_default(), undecided);
        let covered_udp = report.coverage.ranges(Protocol::Udp).iter();
        let covered_udp: usize = covered_udp
            .map(|&(low, high)| usize::from(high - low) + 1)
            .sum();
        let told_udp = rows
            .iter()
            .filter(|row| row.port.protocol == Protocol::Udp && row.state != PortState::Unknown);
        Seen {
            report,
            asked: &job.ports,
            closed_udp: covered_udp - told_udp.count(),
            closed: report.coverage.len() + undecided.len() - rows.len(),
            unknown: job.ports.len() - report.coverage.len() - undecided.len(),
            rows,
            started_at: scan.started_at,
            finished_at: scan.finished_at,
        }
    })
}

fn rows<'a>(
    report: &'a HostReport,
    rejected: &HashMap<Port, Evidence>,
    undecided: &PortSet,
) -> Vec<Row<'a>> {
    let told = report
        .ports
        .iter()
        .filter(|verdict| verdict.state != PortState::Closed)
        .map(|verdict| Row {
            port: verdict.port,
            state: verdict.state,
            evidence: Some(verdict.evidence),
            service: verdict.service.as_ref(),
        });
    let filtered = report.filtered.iter().map(|port| Row {
        port,
        state: PortState::Filtered,
        evidence: rejected.get(&port).copied(),
        service: None,
    });
    let undecided = undecided.iter().map(|port| Row {
        port,
        state: PortState::Unknown,
        evidence: None,
        service: None,
    });
    let mut rows: Vec<Row<'_>> = told.chain(filtered).chain(undecided).collect();
    rows.sort_by_key(|row| row.port);
    rows
}
