//! Which addresses the hosts of a scenario have. Scenarios only know numbers, so that no file can name an address
//! of the world outside.
//!
//! | | IPv4 | IPv6 |
//! |---|---|---|
//! | scanner, kernel router, simulated router | 198.18.255.1, .2, .3 | fd00:198:18::ff01, ::ff02, ::ff03 |
//! | simulated, on the scanner's link | 198.18.0.0 + n | fd00:198:18:: + n |
//! | played by a kernel (AnyIP) | 198.19.0.0 + n | fd00:198:18:1:: + n |
//! | simulated, behind a router | 198.19.128.0 + n | fd00:198:18:2:: + n |
//! | on loopback | 127.18.0.0 + n | ::1, host 1 alone |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

/// The family of addresses of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// As scenarios write it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        }
    }
}

/// Where a host lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Simulated, on the scanner's link.
    Near,
    /// Simulated, behind the simulated router.
    Far,
    /// Addresses of the target's kernel, behind its router.
    Kernel,
    /// Addresses of the scanner's own kernel.
    Loopback,
}

/// The last host of a place.
pub const LAST_HOST: u16 = 0x6fff;

/// The simulated router, which answers for the simulated hosts behind it.
pub fn simulated_router(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(198, 18, 255, 3).into(),
        Family::V6 => segments(0, 0xff03),
    }
}

/// The address of a host.
pub fn host(place: Place, number: u16, family: Family) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    match (family, place) {
        (Family::V4, Place::Near) => Ipv4Addr::new(198, 18, high, low).into(),
        (Family::V4, Place::Kernel) => Ipv4Addr::new(198, 19, high, low).into(),
        (Family::V4, Place::Far) => Ipv4Addr::new(198, 19, high | 0x80, low).into(),
        (Family::V4, Place::Loopback) => Ipv4Addr::new(127, 18, high, low).into(),
        (Family::V6, Place::Near) => segments(0, number),
        (Family::V6, Place::Kernel) => segments(1, number),
        (Family::V6, Place::Far) => segments(2, number),
        (Family::V6, Place::Loopback) => Ipv6Addr::LOCALHOST.into(),
    }
}

/// The place and number of a simulated host; `None` for any other address.
pub fn simulated(ip: IpAddr) -> Option<(Place, u16)> {
    let (place, number) = match ip {
        IpAddr::V4(ip) => {
            let [_, second, high, low] = ip.octets();
            let place = match (second, high) {
                (18, 0..=0x6f) => Place::Near,
                (19, 0x80..=0xef) => Place::Far,
                _ => return None,
            };
            (place, u16::from_be_bytes([high & 0x7f, low]))
        }
        IpAddr::V6(ip) => match ip.segments() {
            [0xfd00, 0x198, 0x18, 0, 0, 0, 0, number] => (Place::Near, number),
            [0xfd00, 0x198, 0x18, 2, 0, 0, 0, number] => (Place::Far, number),
            _ => return None,
        },
    };
    (number <= LAST_HOST).then_some((place, number))
}

fn segments(network: u16, number: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0x198, 0x18, network, 0, 0, 0, number).into()
}
