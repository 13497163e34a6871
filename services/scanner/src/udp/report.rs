//! What a finished, or stopped, UDP scan has to say.

use std::net::IpAddr;

use portwatch_domain::ports::{Port, PortSet};
use portwatch_domain::snapshot::{Answer, Evidence, HostReport, HostState, PortState, PortVerdict};

use super::engine::{Engine, Mark};
use crate::drive::{Driven as _, End};
use crate::engine::{Progress, Rejected};

/// What was seen of the UDP ports of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UdpHost {
    /// The first answer that came from the host itself; `None` if there was none.
    pub up: Option<Evidence>,
    /// The ports with a verdict.
    pub coverage: PortSet,
    /// Every open port, and every port known open that has a new verdict, in ascending order.
    pub ports: Vec<PortVerdict>,
    /// Ports that were rejected on the way, and are not in `ports`. Covered ports in neither are closed.
    pub filtered: PortSet,
    /// Open or filtered: without a verdict.
    pub undecided: PortSet,
}

/// What a UDP scan saw.
#[derive(Clone, Debug)]
pub struct UdpScan {
    /// The hosts, in the order of the plan.
    pub hosts: Vec<(IpAddr, UdpHost)>,
    /// The filtered ports, as far as they are remembered.
    pub rejected: Vec<Rejected>,
    /// Probes, answers, and what proved nothing.
    pub progress: Progress,
    /// False if it was told to stop.
    pub complete: bool,
}

impl UdpHost {
    /// Adds what was seen to the report of the same host's TCP ports. A host that answered here is up. Of a host
    /// that is not up, or suspect, no port is covered.
    pub fn merge_into(self, report: &mut HostReport) {
        if self.up.is_some() {
            report.state = HostState::Up;
        }
        if report.state != HostState::Up || report.suspect {
            return;
        }
        report.coverage = report.coverage.union(&self.coverage);
        report.filtered = report.filtered.union(&self.filtered);
        report.ports.extend(self.ports);
    }
}

impl Engine {
    /// Ends the scan: what has no verdict yet has none.
    pub(super) fn finish(self, end: End) -> UdpScan {
        let hosts = self.hosts.iter().map(|host| host.ip);
        let hosts = hosts.zip((0..self.hosts.len()).map(|host| self.report(host)));
        UdpScan {
            hosts: hosts.collect(),
            rejected: self.rejections(),
            progress: self.progress(),
            complete: end == End::Finished,
        }
    }

    fn report(&self, index: usize) -> UdpHost {
        let mut report = UdpHost {
            up: self.hosts[index].up,
            ..UdpHost::default()
        };
        let first = index * self.ports.len();
        for (pair, &number) in (first..).zip(&self.ports) {
            let port = Port::udp(number);
            let state = match self.marks[pair] {
                Mark::Open => PortState::Open,
                Mark::Closed => PortState::Closed,
                Mark::Filtered => PortState::Filtered,
                Mark::Untold | Mark::Undecided => {
                    report.undecided.insert(port);
                    continue;
                }
            };
            report.coverage.insert(port);
            let key = u32::try_from(pair).unwrap_or(u32::MAX);
            let alone = state == PortState::Open || self.is_known_open(key);
            match self.evidence.get(&key) {
                Some(&evidence) if alone => report.ports.push(PortVerdict {
                    port,
                    state,
                    evidence,
                    service: None,
                }),
                _ if state == PortState::Filtered => report.filtered.insert(port),
                _ => {}
            }
        }
        report
    }

    fn rejections(&self) -> Vec<Rejected> {
        let filtered = |pair: &u32| self.marks[*pair as usize] == Mark::Filtered;
        let mut pairs: Vec<u32> = self.evidence.keys().copied().filter(filtered).collect();
        pairs.sort_unstable();
        let tell = |pair: u32| {
            let (host, port) = self.pair(pair);
            Rejected {
                ip: self.hosts[host].ip,
                port: Port::udp(port),
                evidence: self.evidence[&pair],
            }
        };
        let unreachable =
            |rejected: &Rejected| matches!(rejected.evidence.answer, Answer::IcmpUnreachable(_));
        pairs.into_iter().map(tell).filter(unreachable).collect()
    }
}
