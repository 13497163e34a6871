//! The addresses that are not public, by IANA's registries of special-purpose addresses (RFC 6890).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Loopback,
    Private,
    LinkLocal,
    Shared,
    Unspecified,
    Multicast,
    Reserved,
    Documentation,
    Benchmark,
    LocalNat64,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "is this machine itself",
            Self::Private => "is a private address",
            Self::LinkLocal => "is a link-local address",
            Self::Shared => "is an address of a carrier's inside",
            Self::Unspecified => "is no address of a host",
            Self::Multicast => "is a multicast address",
            Self::Reserved => "is a reserved address",
            Self::Documentation => "is an address for documentation",
            Self::Benchmark => "is an address for benchmarks",
            Self::LocalNat64 => "is an address of a local translator",
        })
    }
}

/// Network, length of its prefix, and what it is; the first that fits counts.
const V4: [(Ipv4Addr, u32, Kind); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8, Kind::Unspecified),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Kind::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Kind::Shared),
    (Ipv4Addr::new(127, 0, 0, 0), 8, Kind::Loopback),
    (Ipv4Addr::new(169, 254, 0, 0), 16, Kind::LinkLocal),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Kind::Private),
    (Ipv4Addr::new(192, 0, 0, 0), 24, Kind::Reserved),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Kind::Documentation),
    // The anycast address of 6to4 relays, which are gone (RFC 7526).
    (Ipv4Addr::new(192, 88, 99, 0), 24, Kind::Reserved),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Kind::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Kind::Benchmark),
    (Ipv4Addr::new(198, 51, 100, 0), 24, Kind::Documentation),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Kind::Documentation),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Kind::Multicast),
    // The broadcast address is the last of them.
    (Ipv4Addr::new(240, 0, 0, 0), 4, Kind::Reserved),
    // Alibaba's metadata stands in 100.64.0.0/10, everybody else's in 169.254.0.0/16, and Azure's here.
    (Ipv4Addr::new(168, 63, 129, 16), 32, Kind::Reserved),
];

const V6: [(Ipv6Addr, u32, Kind); 14] = [
    (Ipv6Addr::UNSPECIFIED, 128, Kind::Unspecified),
    (Ipv6Addr::LOCALHOST, 128, Kind::Loopback),
    // RFC 8215: where the IPv4 address stands in it is up to its network.
    (v6([0x64, 0xff9b, 1, 0]), 48, Kind::LocalNat64),
    (v6([0x100, 0, 0, 0]), 64, Kind::Reserved),
    (v6([0x2001, 2, 0, 0]), 48, Kind::Benchmark),
    (v6([0x2001, 0x10, 0, 0]), 28, Kind::Reserved),
    (v6([0x2001, 0x20, 0, 0]), 28, Kind::Reserved),
    (v6([0x2001, 0xdb8, 0, 0]), 32, Kind::Documentation),
    (v6([0x3fff, 0, 0, 0]), 20, Kind::Documentation),
    (v6([0x5f00, 0, 0, 0]), 16, Kind::Reserved),
    (v6([0xfc00, 0, 0, 0]), 7, Kind::Private),
    (v6([0xfe80, 0, 0, 0]), 10, Kind::LinkLocal),
    // Site-local, the older form of private (RFC 3879).
    (v6([0xfec0, 0, 0, 0]), 10, Kind::Private),
    (v6([0xff00, 0, 0, 0]), 8, Kind::Multicast),
];

/// The beginning of an IPv6 address; zeros follow.
const fn v6([a, b, c, d]: [u16; 4]) -> Ipv6Addr {
    Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)
}

impl Kind {
    /// What this address is if it is not public. What it holds is not looked at.
    pub fn of(ip: IpAddr) -> Option<Self> {
        let same = |a: u128, b: u128, bits: u32, prefix: u32| (a ^ b) >> (bits - prefix) == 0;
        match ip {
            IpAddr::V4(ip) => {
                let within = |(net, prefix, _): &&(Ipv4Addr, u32, Self)| {
                    same(net.to_bits().into(), ip.to_bits().into(), 32, *prefix)
                };
                V4.iter().find(within).map(|(.., kind)| *kind)
            }
            IpAddr::V6(ip) => {
                let within = |(net, prefix, _): &&(Ipv6Addr, u32, Self)| {
                    same(net.to_bits(), ip.to_bits(), 128, *prefix)
                };
                V6.iter().find(within).map(|(.., kind)| *kind)
            }
        }
    }
}

/// The IPv4 addresses that packets to an IPv6 address end at or pass, by all ways in which one holds another.
pub(super) fn embedded(ip: IpAddr) -> [Option<Ipv4Addr>; 3] {
    let IpAddr::V6(ip) = ip else {
        return [None; 3];
    };
    let words = ip.segments();
    let at = |word: usize| {
        Some(Ipv4Addr::from_bits(
            u32::from(words[word]) << 16 | u32::from(words[word + 1]),
        ))
    };
    let [first, second] = match words {
        // Mapped, translated (RFC 2765), compatible (RFC 4291), and NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff | 0, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..] => [at(6), None],
        // 6to4 (RFC 3056).
        [0x2002, ..] => [at(1), None],
        // Teredo (RFC 4380): the server, and the client with all bits turned.
        [0x2001, 0, ..] => [
            at(2),
            at(6).map(|client| Ipv4Addr::from_bits(!client.to_bits())),
        ],
        _ => [None, None],
    };
    // ISATAP (RFC 5214) is the end of an address, whatever it begins with.
    let isatap = matches!(words, [.., 0 | 0x200, 0x5efe, _, _]);
    [first, second, at(6).filter(|_| isatap)]
}
