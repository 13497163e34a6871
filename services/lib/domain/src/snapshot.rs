//! What a scanner saw, of which ports, and how surely.
//!
//! A snapshot answers a job. It is cut into parts of [`PART_HOSTS`] hosts, always at the same
//! hosts, so that a job that is run twice makes parts that stand for the same hosts.

mod evidence;
pub mod service;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use jiff::Timestamp;

use crate::job::JobId;
use crate::ports::{Port, PortSet};
use crate::spelling::words;
use crate::target::TargetId;

pub use evidence::{Answer, Evidence};
pub use service::Service;

/// How many hosts of a job go into one part of its snapshot.
pub const PART_HOSTS: usize = 32;

/// What is known of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortState {
    /// A SYN was answered with a SYN-ACK, or a datagram to a UDP port with another.
    Open,
    /// A SYN was answered with a RST, or the host itself rejected a datagram with ICMP port unreachable.
    Closed,
    /// Something on the way drops or rejects the probes.
    Filtered,
    /// Never yet told for sure.
    Unknown,
}

/// What is known of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostState {
    /// It answered.
    Up,
    /// It was shown not to answer while others do.
    Down,
    /// Not told for sure.
    Unknown,
}

/// How the probes were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// SYN packets over a raw socket.
    Syn,
    /// Whole connections, where raw sockets are not permitted.
    Connect,
}

words!(
    PortState,
    "port state",
    Open = "open",
    Closed = "closed",
    Filtered = "filtered",
    Unknown = "unknown"
);
words!(
    HostState,
    "host state",
    Up = "up",
    Down = "down",
    Unknown = "unknown"
);
words!(Method, "scan method", Syn = "syn", Connect = "connect");

/// One port, verified and told by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortVerdict {
    /// The port.
    pub port: Port,
    /// Its state; never [`PortState::Unknown`].
    pub state: PortState,
    /// Why.
    pub evidence: Evidence,
    /// What listens there, if the port is open and was asked.
    pub service: Option<Service>,
}

/// What was seen of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostReport {
    /// The host.
    pub ip: IpAddr,
    /// The name it was scanned by, if the target named it.
    pub name: Option<String>,
    /// Its state.
    pub state: HostState,
    /// It answers *open* on ports that cannot be (SYN proxy, tarpit): no verdict on its ports.
    pub suspect: bool,
    /// The ports with a conclusive verdict. What is not covered cannot change.
    pub coverage: PortSet,
    /// Every open port, and every port that the job knew to be open and that has a new verdict:
    /// only these are verified one by one.
    pub ports: Vec<PortVerdict>,
    /// Covered ports that did not answer or were rejected, and are not in `ports`. Covered ports
    /// in neither are closed.
    pub filtered: PortSet,
}

/// A host report that contradicts itself.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReportError {
    /// A verdict on a port outside the coverage.
    #[error("host {ip}: {port} has a verdict but is not covered")]
    NotCovered {
        /// The host.
        ip: IpAddr,
        /// The port.
        port: Port,
    },
    /// The same port twice, or in `ports` and `filtered`.
    #[error("host {ip}: {port} has two verdicts")]
    Twice {
        /// The host.
        ip: IpAddr,
        /// The port.
        port: Port,
    },
    /// A verdict of *unknown*, which is no verdict.
    #[error("host {ip}: {port} is listed as unknown: leave it out of the coverage")]
    Unknown {
        /// The host.
        ip: IpAddr,
        /// The port.
        port: Port,
    },
    /// Ports are covered on a host that is not up, or is suspect.
    #[error("host {ip}: ports are covered although the host is {state}{}", if *suspect { " and suspect" } else { "" })]
    CoveredButSilent {
        /// The host.
        ip: IpAddr,
        /// Its state.
        state: HostState,
        /// Whether it is suspect.
        suspect: bool,
    },
}

impl HostReport {
    /// A report that says nothing: no state, no coverage.
    pub fn unknown(ip: IpAddr, name: Option<String>) -> Self {
        Self {
            ip,
            name,
            state: HostState::Unknown,
            suspect: false,
            coverage: PortSet::empty(),
            ports: Vec::new(),
            filtered: PortSet::empty(),
        }
    }

    /// Checks that the report does not contradict itself.
    pub fn check(&self) -> Result<(), ReportError> {
        let ip = self.ip;
        if (self.state != HostState::Up || self.suspect) && !self.coverage.is_empty() {
            let (state, suspect) = (self.state, self.suspect);
            return Err(ReportError::CoveredButSilent { ip, state, suspect });
        }
        let mut seen = self.filtered.clone();
        if let Some(port) = seen.difference(&self.coverage).iter().next() {
            return Err(ReportError::NotCovered { ip, port });
        }
        for verdict in &self.ports {
            let port = verdict.port;
            if verdict.state == PortState::Unknown {
                return Err(ReportError::Unknown { ip, port });
            }
            if !self.coverage.contains(port) {
                return Err(ReportError::NotCovered { ip, port });
            }
            if seen.contains(port) {
                return Err(ReportError::Twice { ip, port });
            }
            seen.insert(port);
        }
        Ok(())
    }
}

/// One part of the answer to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The job.
    pub job: JobId,
    /// The job's target.
    pub target: TargetId,
    /// The job's run: a later run is newer.
    pub run: u64,
    /// Which part this is, from 0.
    pub part: u32,
    /// How many parts there are.
    pub parts: u32,
    /// How it was scanned.
    pub method: Method,
    /// The worker's name.
    pub worker: String,
    /// When the first probe was sent.
    pub started_at: Timestamp,
    /// When the last verdict was made.
    pub finished_at: Timestamp,
    /// The hosts of this part, in the order of the job.
    pub hosts: Vec<HostReport>,
}
