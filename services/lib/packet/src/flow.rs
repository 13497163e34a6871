//! What names one probe: both addresses and both ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Two addresses of one family, as the probe carries them: we are the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair<A> {
    /// Our address.
    pub source: A,
    /// The address that is scanned.
    pub destination: A,
}

/// The addresses of a probe. Both are of one family by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Addresses {
    /// An IPv4 probe.
    V4(Pair<Ipv4Addr>),
    /// An IPv6 probe.
    V6(Pair<Ipv6Addr>),
}

impl Addresses {
    /// The pair of `source` and `destination`; `None` if one is IPv4 and the other IPv6.
    pub fn new(source: IpAddr, destination: IpAddr) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some(Self::V4(Pair {
                source,
                destination,
            })),
            (IpAddr::V6(source), IpAddr::V6(destination)) => Some(Self::V6(Pair {
                source,
                destination,
            })),
            _ => None,
        }
    }

    /// Our address.
    pub fn source(&self) -> IpAddr {
        match self {
            Self::V4(pair) => IpAddr::V4(pair.source),
            Self::V6(pair) => IpAddr::V6(pair.source),
        }
    }

    /// The address that is scanned.
    pub fn destination(&self) -> IpAddr {
        match self {
            Self::V4(pair) => IpAddr::V4(pair.destination),
            Self::V6(pair) => IpAddr::V6(pair.destination),
        }
    }
}

/// The ports of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ports {
    /// Our port.
    pub source: u16,
    /// The port that is scanned.
    pub destination: u16,
}

/// One probe's identity, always written from our side: a reply's flow is the flow of the probe it answers,
/// not of the packet that carried the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// Both addresses.
    pub addresses: Addresses,
    /// Both ports.
    pub ports: Ports,
}
