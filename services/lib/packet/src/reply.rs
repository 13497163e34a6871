//! Reading replies. Every function here takes bytes from the network: whatever they are, the result is a
//! [`Reply`] or a [`Refusal`], never a panic.
//!
//! Checksums are not checked: a raw socket also sees packets whose checksum the kernel left to the network
//! card (loopback, veth), and what makes a reply trustworthy is the [cookie](crate::cookie).

use std::net::{IpAddr, Ipv6Addr};

use pnet::packet::Packet;
use pnet::packet::icmp::{IcmpPacket, IcmpTypes};
use pnet::packet::icmpv6::{Icmpv6Packet, Icmpv6Types};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::{Ipv4Flags, Ipv4Packet};
use pnet::packet::ipv6::Ipv6Packet;
use pnet::packet::tcp::{TcpFlags, TcpPacket};
use thiserror::Error;

use crate::flow::{Addresses, Flow, Pair, Ports};

/// A packet that can be the answer to a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The probe that is answered, from our side: the source is us.
    pub flow: Flow,
    /// Time to live (IPv4) or hop limit (IPv6) of the packet that carried the reply, where the socket told it.
    pub ttl: Option<u8>,
    /// What the reply says.
    pub answer: Answer,
}

/// What a reply says about the probed port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The port accepts connections.
    SynAck {
        /// The target's own sequence number.
        sequence: u32,
        /// The acknowledgement number, which must prove the cookie.
        acknowledged: u32,
    },
    /// The port refuses connections.
    Rst {
        /// The sequence number of the RST.
        sequence: u32,
        /// The acknowledgement number, which must prove the cookie.
        acknowledged: u32,
    },
    /// Somebody says that the probe cannot be delivered: ICMP type 3 (RFC 792, RFC 1812) for an IPv4 probe,
    /// `ICMPv6` type 1 (RFC 4443) for an IPv6 one.
    Unreachable {
        /// Who says so: the target or a router on the way.
        reporter: IpAddr,
        /// The ICMP code; its meaning depends on the family of the flow.
        code: u8,
        /// The sequence number in the quoted probe, which must prove the cookie.
        sequence: u32,
    },
}

/// Why a packet was not taken for a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The packet ends before a header is complete.
    #[error("the packet ends inside its {0} header")]
    Truncated(&'static str),
    /// A header contradicts itself or the packet's length.
    #[error("a length in the {0} header cannot be right")]
    BadLength(&'static str),
    /// A fragment: no stack answers a SYN in pieces.
    #[error("the packet is a fragment")]
    Fragment,
    /// A protocol, message type or set of TCP flags that never answers a SYN.
    #[error("the packet is no answer to a SYN")]
    Unrelated,
}

/// ICMP type 3 code 4, *fragmentation needed*, says something about the path and nothing about the port.
const FRAGMENTATION_NEEDED: u8 = 4;
const ICMP_HEADER_LEN: usize = 8;
const IPV6_HEADER_LEN: usize = 40;

/// Reads a whole IPv4 packet, as raw sockets deliver it: TCP, or ICMP unreachable quoting a TCP probe.
pub fn parse_ipv4(bytes: &[u8]) -> Result<Reply, Refusal> {
    let header = Ipv4Packet::new(bytes).ok_or(Refusal::Truncated("IPv4"))?;
    let body = ipv4_body(&header, usize::from(header.get_total_length()))?;
    let ttl = Some(header.get_ttl());
    match header.get_next_level_protocol() {
        IpNextHeaderProtocols::Tcp => tcp(
            // The packet comes from the scanned address to us.
            Addresses::V4(Pair {
                source: header.get_destination(),
                destination: header.get_source(),
            }),
            ttl,
            body,
        ),
        IpNextHeaderProtocols::Icmp => icmp_ipv4(IpAddr::V4(header.get_source()), ttl, body),
        _ => Err(Refusal::Unrelated),
    }
}

/// Reads a whole IPv6 packet: TCP, or `ICMPv6` unreachable quoting a TCP probe. An answer to a SYN needs no
/// extension headers; one that has some is not read.
pub fn parse_ipv6(bytes: &[u8]) -> Result<Reply, Refusal> {
    let header = Ipv6Packet::new(bytes).ok_or(Refusal::Truncated("IPv6"))?;
    if header.get_version() != 6 {
        return Err(Refusal::BadLength("IPv6"));
    }
    let end = IPV6_HEADER_LEN + usize::from(header.get_payload_length());
    let body = bytes
        .get(IPV6_HEADER_LEN..end)
        .ok_or(Refusal::Truncated("IPv6"))?;
    let (from, hop_limit) = (header.get_source(), Some(header.get_hop_limit()));
    match header.get_next_header() {
        IpNextHeaderProtocols::Tcp => {
            parse_tcp_ipv6(from, header.get_destination(), hop_limit, body)
        }
        IpNextHeaderProtocols::Icmpv6 => parse_icmp_ipv6(from, hop_limit, body),
        _ => Err(Refusal::Unrelated),
    }
}

/// Reads a TCP segment that came over IPv6. The addresses and the hop limit stand apart, because raw IPv6
/// sockets do not deliver the header (RFC 3542): `from` is the target, `to` is us.
pub fn parse_tcp_ipv6(
    from: Ipv6Addr,
    to: Ipv6Addr,
    hop_limit: Option<u8>,
    segment: &[u8],
) -> Result<Reply, Refusal> {
    let addresses = Addresses::V6(Pair {
        source: to,
        destination: from,
    });
    tcp(addresses, hop_limit, segment)
}

/// Reads an `ICMPv6` message that came from `reporter`: destination unreachable, quoting a TCP probe.
pub fn parse_icmp_ipv6(
    reporter: Ipv6Addr,
    hop_limit: Option<u8>,
    message: &[u8],
) -> Result<Reply, Refusal> {
    let icmp = Icmpv6Packet::new(message).ok_or(Refusal::Truncated("ICMPv6"))?;
    if icmp.get_icmpv6_type() != Icmpv6Types::DestinationUnreachable {
        return Err(Refusal::Unrelated);
    }
    let quote = message
        .get(ICMP_HEADER_LEN..)
        .ok_or(Refusal::Truncated("ICMPv6"))?;
    let header = Ipv6Packet::new(quote).ok_or(Refusal::Truncated("quoted IPv6"))?;
    // Our probes carry no extension headers, so a quote with one is not of ours.
    if header.get_version() != 6 {
        return Err(Refusal::BadLength("quoted IPv6"));
    }
    if header.get_next_header() != IpNextHeaderProtocols::Tcp {
        return Err(Refusal::Unrelated);
    }
    let addresses = Addresses::V6(Pair {
        source: header.get_source(),
        destination: header.get_destination(),
    });
    let (ports, sequence) = quoted_tcp(&quote[IPV6_HEADER_LEN..])?;
    Ok(Reply {
        flow: Flow { addresses, ports },
        ttl: hop_limit,
        answer: Answer::Unreachable {
            reporter: IpAddr::V6(reporter),
            code: icmp.get_icmpv6_code().0,
            sequence,
        },
    })
}

/// The bytes after the IPv4 header and its options, cut to `total_length`.
fn ipv4_body<'a>(header: &'a Ipv4Packet<'_>, total_length: usize) -> Result<&'a [u8], Refusal> {
    let header_length = usize::from(header.get_header_length()) * 4;
    if header.get_version() != 4 || header_length < Ipv4Packet::minimum_packet_size() {
        return Err(Refusal::BadLength("IPv4"));
    }
    if header.get_fragment_offset() != 0 || header.get_flags() & Ipv4Flags::MoreFragments != 0 {
        return Err(Refusal::Fragment);
    }
    if total_length < header_length {
        return Err(Refusal::BadLength("IPv4"));
    }
    header
        .packet()
        .get(header_length..total_length)
        .ok_or(Refusal::Truncated("IPv4"))
}

fn tcp(addresses: Addresses, ttl: Option<u8>, segment: &[u8]) -> Result<Reply, Refusal> {
    let header = TcpPacket::new(segment).ok_or(Refusal::Truncated("TCP"))?;
    let header_length = usize::from(header.get_data_offset()) * 4;
    if header_length < TcpPacket::minimum_packet_size() || header_length > segment.len() {
        return Err(Refusal::BadLength("TCP"));
    }
    let (sequence, acknowledged) = (header.get_sequence(), header.get_acknowledgement());
    let meaning = TcpFlags::SYN | TcpFlags::ACK | TcpFlags::RST | TcpFlags::FIN;
    let answer = match header.get_flags() & meaning {
        flags if flags == TcpFlags::SYN | TcpFlags::ACK => Answer::SynAck {
            sequence,
            acknowledged,
        },
        // With or without ACK: what must be right is the acknowledgement number.
        flags if flags & !TcpFlags::ACK == TcpFlags::RST => Answer::Rst {
            sequence,
            acknowledged,
        },
        _ => return Err(Refusal::Unrelated),
    };
    let ports = Ports {
        source: header.get_destination(),
        destination: header.get_source(),
    };
    Ok(Reply {
        flow: Flow { addresses, ports },
        ttl,
        answer,
    })
}

fn icmp_ipv4(reporter: IpAddr, ttl: Option<u8>, message: &[u8]) -> Result<Reply, Refusal> {
    let icmp = IcmpPacket::new(message).ok_or(Refusal::Truncated("ICMP"))?;
    let code = icmp.get_icmp_code().0;
    if icmp.get_icmp_type() != IcmpTypes::DestinationUnreachable || code == FRAGMENTATION_NEEDED {
        return Err(Refusal::Unrelated);
    }
    let quote = message
        .get(ICMP_HEADER_LEN..)
        .ok_or(Refusal::Truncated("ICMP"))?;
    let header = Ipv4Packet::new(quote).ok_or(Refusal::Truncated("quoted IPv4"))?;
    // A quote is cut short by design, and some routers rewrite its total length: only what is there counts.
    let body = ipv4_body(&header, quote.len())?;
    if header.get_next_level_protocol() != IpNextHeaderProtocols::Tcp {
        return Err(Refusal::Unrelated);
    }
    let addresses = Addresses::V4(Pair {
        source: header.get_source(),
        destination: header.get_destination(),
    });
    let (ports, sequence) = quoted_tcp(body)?;
    Ok(Reply {
        flow: Flow { addresses, ports },
        ttl,
        answer: Answer::Unreachable {
            reporter,
            code,
            sequence,
        },
    })
}

/// Ports and sequence number of a quoted TCP header. A router needs to quote only its first 8 bytes (RFC 792).
fn quoted_tcp(header: &[u8]) -> Result<(Ports, u32), Refusal> {
    match *header {
        [s0, s1, d0, d1, q0, q1, q2, q3, ..] => Ok((
            Ports {
                source: u16::from_be_bytes([s0, s1]),
                destination: u16::from_be_bytes([d0, d1]),
            },
            u32::from_be_bytes([q0, q1, q2, q3]),
        )),
        _ => Err(Refusal::Truncated("quoted TCP")),
    }
}

#[cfg(test)]
mod tests;
