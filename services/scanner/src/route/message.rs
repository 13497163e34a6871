//! What is read from rtnetlink messages (rtnetlink(7)).
//!
//! Only the attributes that are needed are looked at, so that a kernel which adds or changes others does no harm.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NlaBuffer, NlasIterator, parse_ip};

use super::stretches::Prefix;

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// `struct rtmsg`, `struct ndmsg` and `struct fib_rule_hdr`.
pub(super) const SHORT_HEADER: usize = 12;
/// `struct ifinfomsg`.
pub(super) const LINK_HEADER: usize = 16;

pub(super) const INET: u8 = 2;
pub(super) const INET6: u8 = 10;
pub(super) const UNSPEC: u8 = 0;

/// The attributes behind a header, as far as they are whole.
fn attributes(payload: &[u8], header: usize) -> impl Iterator<Item = NlaBuffer<&[u8]>> {
    NlasIterator::new(payload.get(header..).unwrap_or_default()).map_while(Result::ok)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

fn mac(value: &[u8]) -> Option<Mac> {
    value.try_into().ok()
}

/// A network interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    /// Frames can be sent: it is an Ethernet link with neighbours, up, and has carrier.
    pub(super) usable: bool,
    /// Its own address. Some notifications leave it out.
    pub(super) address: Option<Mac>,
}

/// Of `RTM_NEWLINK` and `RTM_DELLINK`. None for what a bridge tells of its ports.
pub(super) fn link(payload: &[u8]) -> Option<Link> {
    if *payload.first()? != UNSPEC {
        return None;
    }
    let is_ethernet = u16_at(payload, 2)? == libc::ARPHRD_ETHER;
    let flags = u32_at(payload, 8)?;
    let has = |flag: libc::c_int| flags & flag.cast_unsigned() != 0;
    let usable = is_ethernet
        && has(libc::IFF_UP)
        && has(libc::IFF_LOWER_UP)
        && !has(libc::IFF_NOARP)
        && !has(libc::IFF_LOOPBACK);
    let address = attributes(payload, LINK_HEADER)
        .find(|attribute| attribute.kind() == libc::IFLA_ADDRESS)
        .and_then(|attribute| mac(attribute.value()));
    Some(Link {
        index: u32_at(payload, 4)?,
        usable,
        address,
    })
}

/// A neighbour: the interface and the address, and its hardware address if that is known and not refuted.
pub(super) type Neighbour = ((u32, IpAddr), Option<Mac>);

/// Of `RTM_NEWNEIGH` and `RTM_DELNEIGH`. None for those we answer for, and those of bridges.
pub(super) fn neighbour(payload: &[u8]) -> Option<Neighbour> {
    const KNOWN: u16 = libc::NUD_REACHABLE
        | libc::NUD_STALE
        | libc::NUD_DELAY
        | libc::NUD_PROBE
        | libc::NUD_NOARP
        | libc::NUD_PERMANENT;
    let of_ours = [INET, INET6].contains(payload.first()?);
    if !of_ours || payload.get(10)? & libc::NTF_PROXY != 0 {
        return None;
    }
    let known = u16_at(payload, 8)? & KNOWN != 0;
    let (mut address, mut hardware) = (None, None);
    for attribute in attributes(payload, SHORT_HEADER) {
        match attribute.kind() {
            libc::NDA_DST => address = parse_ip(attribute.value()).ok(),
            libc::NDA_LLADDR if known => hardware = mac(attribute.value()),
            _ => {}
        }
    }
    Some(((u32_at(payload, 4)?, address?), hardware))
}

/// Which destinations a route or rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) is_ipv4: bool,
    pub(super) destinations: Prefix,
    /// It also goes by the source.
    pub(super) by_source: bool,
}

/// Of `RTM_NEWROUTE` and `RTM_NEWRULE`, whose headers and destination attributes are alike. None for other families
/// and multicast routing.
pub(super) fn selector(payload: &[u8]) -> Option<Selector> {
    let is_ipv4 = match *payload.first()? {
        INET => true,
        INET6 => false,
        _ => return None,
    };
    let any = if is_ipv4 {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let address = attributes(payload, SHORT_HEADER)
        .find(|attribute| attribute.kind() == libc::RTA_DST)
        .and_then(|attribute| parse_ip(attribute.value()).ok())
        .unwrap_or(any);
    Some(Selector {
        is_ipv4,
        destinations: Prefix::new(address, *payload.get(1)?),
        by_source: *payload.get(2)? != 0,
    })
}

/// The kernel's routing decision for one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Decision {
    /// `RTN_UNICAST` and the like.
    pub(super) kind: u8,
    /// It holds for this destination alone: a router redirected it, or it has an entry of its own.
    pub(super) of_one: bool,
    pub(super) interface: Option<u32>,
    pub(super) gateway: Option<IpAddr>,
    pub(super) source: Option<IpAddr>,
    /// Packets are wrapped into others (MPLS, segment routing, light-weight tunnels).
    pub(super) is_wrapped: bool,
}

/// Of the answer to `RTM_GETROUTE`.
pub(super) fn decision(payload: &[u8]) -> Option<Decision> {
    /// In `rtm_flags`, for IPv4: a router sent an ICMP redirect. From `linux/in_route.h`.
    const REDIRECTED: u32 = 0x0004_0000;
    let flags = u32_at(payload, 8)?;
    // Every answer for IPv4 is a copy, for IPv6 only those made for one destination.
    let of_one = match *payload.first()? {
        INET => flags & REDIRECTED != 0,
        _ => flags & libc::RTM_F_CLONED != 0,
    };
    let mut decision = Decision {
        kind: *payload.get(7)?,
        of_one,
        ..Decision::default()
    };
    for attribute in attributes(payload, SHORT_HEADER) {
        let value = attribute.value();
        match attribute.kind() {
            libc::RTA_OIF => decision.interface = u32_at(value, 0),
            libc::RTA_GATEWAY => decision.gateway = parse_ip(value).ok(),
            // The family comes first: a gateway of the other one.
            libc::RTA_VIA => decision.gateway = value.get(2..).and_then(|via| parse_ip(via).ok()),
            libc::RTA_PREFSRC => decision.source = parse_ip(value).ok(),
            libc::RTA_ENCAP | libc::RTA_ENCAP_TYPE => decision.is_wrapped = true,
            _ => {}
        }
    }
    Some(decision)
}
