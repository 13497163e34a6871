//! What a finished, or stopped, scan has to say.

use std::net::IpAddr;

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, Evidence, HostReport, HostState, PortState, PortVerdict};

use super::{Engine, Mark};

/// A filtered port that was rejected by ICMP. A report only says that it is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The host.
    pub ip: IpAddr,
    /// The port.
    pub port: Port,
    /// The ICMP code, its TTL and round-trip time.
    pub evidence: Evidence,
}

impl Engine {
    /// The reports of all hosts in the order of the plan; their names are left empty. What has no verdict yet
    /// is not covered.
    pub fn reports(&self) -> Vec<HostReport> {
        (0..self.hosts.len())
            .map(|host| self.report(host))
            .collect()
    }

    /// The ports that were rejected by ICMP, as far as they are remembered.
    pub fn rejected(&self) -> Vec<Rejected> {
        let mut rejected: Vec<(u32, Evidence)> = self
            .evidence
            .iter()
            .filter(|(_, evidence)| matches!(evidence.answer, Answer::IcmpUnreachable(_)))
            .map(|(&pair, &evidence)| (pair, evidence))
            .collect();
        rejected.sort_unstable_by_key(|&(pair, _)| pair);
        let tell = |(pair, evidence)| {
            let (host, port) = self.pair(pair);
            Rejected {
                ip: self.plan.hosts[host as usize].ip(),
                port: Port::tcp(port),
                evidence,
            }
        };
        rejected.into_iter().map(tell).collect()
    }

    fn report(&self, index: usize) -> HostReport {
        let (host, planned) = (&self.hosts[index], &self.plan.hosts[index]);
        let mut report = HostReport::unknown(planned.ip(), None);
        if !host.up {
            if host.absence.is_shown(self.ports.len()) {
                report.state = HostState::Down;
            }
            return report;
        }
        report.state = HostState::Up;
        report.suspect = host.suspect;
        if host.suspect {
            return report;
        }
        let first = index * self.ports.len();
        let (mut coverage, mut filtered) = (PortSet::empty(), PortSet::empty());
        for (pair, &number) in (first..).zip(&self.ports) {
            let port = Port::tcp(number);
            let state = match self.marks[pair] {
                Mark::OPEN => PortState::Open,
                Mark::CLOSED => PortState::Closed,
                Mark::FILTERED => PortState::Filtered,
                _ => continue,
            };
            coverage.insert(port);
            let key = u32::try_from(pair).unwrap_or(u32::MAX);
            let alone = state == PortState::Open || planned.known_open.contains(port);
            match self.evidence.get(&key) {
                Some(&evidence) if alone => report.ports.push(PortVerdict {
                    port,
                    state,
                    evidence,
                    service: None,
                }),
                _ if state == PortState::Filtered => filtered.insert(port),
                _ => {}
            }
        }
        report.coverage = coverage;
        report.filtered = filtered;
        report
    }
}
