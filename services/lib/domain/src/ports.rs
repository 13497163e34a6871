//! Ports, sets of ports, and the syntax in which people write them.

mod parse;
mod ranges;
mod services;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

pub use parse::PortSetError;
use ranges::Ranges;
pub use services::service_name;

/// A transport protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Protocol {
    /// `tcp` or `udp`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text was neither `tcp` nor `udp`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown protocol {0:?}: use tcp or udp")]
pub struct ProtocolError(String);

impl FromStr for Protocol {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "udp" => Ok(Self::Udp),
            other => Err(ProtocolError(other.to_owned())),
        }
    }
}

/// One port of one protocol; printed as `tcp/443`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port {
    /// The protocol that the number belongs to.
    pub protocol: Protocol,
    /// 1 to 65535.
    pub number: u16,
}

impl Port {
    /// A TCP port.
    pub const fn tcp(number: u16) -> Self {
        Self {
            protocol: Protocol::Tcp,
            number,
        }
    }

    /// A UDP port.
    pub const fn udp(number: u16) -> Self {
        Self {
            protocol: Protocol::Udp,
            number,
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.protocol, self.number)
    }
}

/// A set of TCP and UDP ports in canonical form: equal sets compare equal and print the same.
///
/// Written as `22,80,443,8000-8100`, `all` or `*`, `top100`, `top1000`, with `udp:` before what is UDP
/// (`22,udp:53,udp:60000-61000`). Port 0 is never a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PortSet {
    tcp: Ranges,
    udp: Ranges,
}

impl PortSet {
    /// No ports.
    pub const fn empty() -> Self {
        Self {
            tcp: Ranges::empty(),
            udp: Ranges::empty(),
        }
    }

    /// Every TCP port, 1 to 65535.
    pub fn all_tcp() -> Self {
        Self {
            tcp: Ranges::all(),
            udp: Ranges::empty(),
        }
    }

    /// How many ports are in the set.
    pub fn len(&self) -> usize {
        self.tcp.len() + self.udp.len()
    }

    /// True if no port is in the set.
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty()
    }

    /// True if the port is in the set.
    pub fn contains(&self, port: Port) -> bool {
        self.of(port.protocol).contains(port.number)
    }

    /// Adds one port; port number 0 is not a port and is left out.
    pub fn insert(&mut self, port: Port) {
        self.of_mut(port.protocol).insert(port.number, port.number);
    }

    /// All ports in ascending order, TCP before UDP.
    pub fn iter(&self) -> impl Iterator<Item = Port> + '_ {
        self.tcp
            .iter()
            .map(Port::tcp)
            .chain(self.udp.iter().map(Port::udp))
    }

    /// The inclusive ranges of one protocol, ascending, disjoint and not adjacent.
    pub fn ranges(&self, protocol: Protocol) -> &[(u16, u16)] {
        self.of(protocol).as_slice()
    }

    /// The ports in either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self {
            tcp: self.tcp.union(&other.tcp),
            udp: self.udp.union(&other.udp),
        }
    }

    /// The ports in both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self {
            tcp: self.tcp.intersection(&other.tcp),
            udp: self.udp.intersection(&other.udp),
        }
    }

    /// The ports of this set that are not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self {
            tcp: self.tcp.difference(&other.tcp),
            udp: self.udp.difference(&other.udp),
        }
    }

    /// True if every port of this set is in the other.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }

    /// As short as it can be said: `top100` or `top1000` if it is that, else the canonical form. Only for who reads it
    /// with the same lists, and does not mind if they are others later.
    pub fn in_short(&self) -> String {
        parse::name(self).map_or_else(|| self.to_string(), ToOwned::to_owned)
    }

    fn of(&self, protocol: Protocol) -> &Ranges {
        match protocol {
            Protocol::Tcp => &self.tcp,
            Protocol::Udp => &self.udp,
        }
    }

    fn of_mut(&mut self, protocol: Protocol) -> &mut Ranges {
        match protocol {
            Protocol::Tcp => &mut self.tcp,
            Protocol::Udp => &mut self.udp,
        }
    }
}

impl FromIterator<Port> for PortSet {
    fn from_iter<I: IntoIterator<Item = Port>>(ports: I) -> Self {
        let mut set = Self::empty();
        for port in ports {
            set.insert(port);
        }
        set
    }
}

impl FromStr for PortSet {
    type Err = PortSetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::parse(text)
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        parse::print(self, f)
    }
}
