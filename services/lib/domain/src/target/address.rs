//! Addresses as an operator writes them: one address, a CIDR block, a range, or a host name.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

/// What is wrong with an address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// Neither an address nor a name that DNS could hold.
    #[error(
        "{0:?} is not a target: write an address (192.0.2.1), a CIDR block (192.0.2.0/24), a range (192.0.2.1-192.0.2.9) or a host name"
    )]
    NotAnAddress(String),
    /// An IPv6 address with an interface, such as `fe80::1%eth0`.
    #[error("{0:?} names an interface: link-local addresses with a zone index cannot be watched")]
    Scoped(String),
    /// The prefix is too long, or no number.
    #[error("{0:?} has no valid prefix length: IPv4 has /0 to /32, IPv6 /0 to /128")]
    Prefix(String),
    /// A range that mixes IPv4 and IPv6, or runs backwards.
    #[error("{0:?} is not a range: both ends must be of one family, the lower first")]
    Range(String),
}

/// An inclusive run of addresses of one family; IPv4 is never held as IPv6 (`::ffff:192.0.2.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpRange {
    first: IpAddr,
    last: IpAddr,
}

impl IpRange {
    /// The range from `first` to `last`; `None` if they differ in family or run backwards.
    ///
    /// Two ends of IPv4 written as IPv6 make a range of IPv4.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        let (first, last) = match (first.to_canonical(), last.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(last)) => (first.into(), last.into()),
            _ => (first, last),
        };
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// The lowest address.
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address.
    pub const fn last(&self) -> IpAddr {
        self.last
    }

    /// True if the address lies in the range.
    ///
    /// An IPv4 address written as IPv6 (`::ffff:192.0.2.1`) is looked up as the IPv4 address it is,
    /// so that an exclusion cannot be walked around by spelling.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.first.is_ipv4() == address.is_ipv4() && self.first <= address && address <= self.last
    }

    /// How many addresses; saturates at `u128::MAX` for all of IPv6.
    pub fn len(&self) -> u128 {
        (number(self.last) - number(self.first)).saturating_add(1)
    }

    /// Never true: a range has at least one address.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// All addresses, ascending.
    pub fn iter(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let v4 = self.first.is_ipv4();
        (number(self.first)..=number(self.last)).map(move |bits| address(bits, v4))
    }
}

impl From<IpAddr> for IpRange {
    fn from(address: IpAddr) -> Self {
        let address = address.to_canonical();
        Self {
            first: address,
            last: address,
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn address(bits: u128, v4: bool) -> IpAddr {
    match u32::try_from(bits) {
        Ok(bits) if v4 => IpAddr::V4(Ipv4Addr::from_bits(bits)),
        _ => IpAddr::V6(Ipv6Addr::from_bits(bits)),
    }
}

/// One item of a target's address list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// One address.
    Ip(IpAddr),
    /// A block; host bits that were written are dropped (`192.0.2.7/24` is `192.0.2.0/24`).
    Cidr(IpNet),
    /// A range of addresses.
    Range(IpRange),
    /// A host name, lower case, without a trailing dot.
    Name(String),
}

impl Address {
    /// The addresses it stands for; `None` for a name, which has to be resolved.
    pub fn range(&self) -> Option<IpRange> {
        match self {
            Self::Ip(ip) => Some(IpRange::from(*ip)),
            Self::Cidr(net) => IpRange::new(net.network(), net.broadcast()),
            Self::Range(range) => Some(*range),
            Self::Name(_) => None,
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip.to_canonical()));
        }
        if text.contains('%') && text.contains(':') {
            return Err(AddressError::Scoped(text.to_owned()));
        }
        if let Some((ip, _)) = text.split_once('/')
            && ip.parse::<IpAddr>().is_ok()
        {
            let net: IpNet = text
                .parse()
                .map_err(|_| AddressError::Prefix(text.to_owned()))?;
            return Ok(Self::Cidr(net.trunc()));
        }
        if let Some((first, last)) = text.split_once('-')
            && let Ok(first) = first.trim().parse()
        {
            let last = last.trim().parse().ok();
            let range = last.and_then(|last| IpRange::new(first, last));
            return range
                .map(Self::Range)
                .ok_or_else(|| AddressError::Range(text.to_owned()));
        }
        parse_name(text)
            .map(Self::Name)
            .ok_or_else(|| AddressError::NotAnAddress(text.to_owned()))
    }
}

/// Host names by RFC 1123 section 2.1, with `_` as DNS zones in the wild use it. The last label
/// may not be a number: `192.0.2.300` is a mistyped address, not a name.
fn parse_name(text: &str) -> Option<String> {
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let last_is_number = name
        .rsplit('.')
        .next()
        .is_none_or(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
    (name.len() <= 253 && name.split('.').all(is_label) && !last_is_number).then_some(name)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Cidr(net) => net.fmt(f),
            Self::Range(range) => range.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            self.first.fmt(f)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl FromStr for IpRange {
    type Err = AddressError;

    /// Reads an address, a block or a range; a name is refused, because what it excludes or
    /// includes would depend on DNS.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address: Address = text.parse()?;
        address
            .range()
            .ok_or_else(|| AddressError::NotAnAddress(text.to_owned()))
    }
}
