//! What is true of the ports of a scenario.

use serde::Deserialize;

use super::ports::Ports;
use super::scenario::{Host, Rejected, Scan, Unreachable};

/// A port, as verdicts name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Port {
    /// A TCP port.
    Tcp(u16),
    /// A UDP port.
    Udp(u16),
}

/// The UDP ports of a host. What is not named is closed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Datagrams {
    /// Ports that answer: 53 as a name server, the others with what they were sent.
    pub open: Ports,
    /// Ports on which something listens and never answers.
    pub mute: Ports,
    /// Ports that drop what comes.
    pub silent: Ports,
    /// Ports that are answered with ICMP unreachable other than port unreachable, which is what closed ports say.
    pub rejected: Vec<Rejected>,
}

/// What is true of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Something listens there.
    Open,
    /// Nothing does, and the host says so.
    Closed,
    /// Nobody says anything.
    Silent,
    /// It is answered with a SYN-ACK, but nothing listens there.
    Proxied,
    /// It is answered with ICMP unreachable.
    Rejected(Unreachable),
}

impl Host {
    /// What is true of one of its ports.
    pub fn truth(&self, port: Port) -> Truth {
        let code = |rejected: &[Rejected], port| {
            let is_named = |rejected: &&Rejected| rejected.ports.contains(port);
            rejected.iter().find(is_named).map(|rejected| rejected.code)
        };
        let otherwise = |code: Option<Unreachable>| code.map_or(Truth::Closed, Truth::Rejected);
        match port {
            _ if self.gone => Truth::Silent,
            Port::Tcp(port) if self.silent.contains(port) => Truth::Silent,
            Port::Tcp(port) if self.open.contains(port) => Truth::Open,
            Port::Tcp(port) if self.proxied.contains(port) => Truth::Proxied,
            Port::Tcp(port) => otherwise(code(&self.rejected, port)),
            Port::Udp(port) if self.udp.silent.contains(port) => Truth::Silent,
            Port::Udp(port) if self.udp.mute.contains(port) => Truth::Silent,
            Port::Udp(port) if self.udp.open.contains(port) => Truth::Open,
            Port::Udp(port) => otherwise(code(&self.udp.rejected, port)),
        }
    }

    /// Whether it says anything to what is scanned.
    pub fn is_heard(&self, scan: &Scan) -> bool {
        scan.all()
            .any(|port| !matches!(self.truth(port), Truth::Silent))
    }
}

impl Scan {
    /// All ports that are scanned.
    pub fn all(&self) -> impl Iterator<Item = Port> {
        let tcp = self.ports.iter().map(Port::Tcp);
        tcp.chain(self.udp.iter().map(Port::Udp))
    }
}
