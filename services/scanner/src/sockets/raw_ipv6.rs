//! Raw IPv6 sockets: one that sends and sees TCP segments, one that sees `ICMPv6`. The kernel writes the IP header
//! (RFC 3542), with the source address that we expect, because it is asked for the same route.

use std::io;
use std::net::SocketAddrV6;

use portwatch_packet::{Flow, build, reply};
use socket2::{Domain, Protocol, SockAddr, Socket};

use super::filter::{self, PortRange};
use super::receiver::Receiver;
use crate::wire::{Event, WireError};

/// The sockets.
#[derive(Debug)]
pub(super) struct RawIpv6 {
    tcp: Receiver,
    icmp: Receiver,
}

impl RawIpv6 {
    /// Opens them, deaf until [`Self::listen`]. Needs `CAP_NET_RAW`.
    pub(super) fn open() -> Result<Self, WireError> {
        let tcp = Receiver::open(Domain::IPV6, Protocol::TCP, "raw IPv6 socket for TCP")?;
        let icmp = Receiver::open(Domain::IPV6, Protocol::ICMPV6, "raw IPv6 socket for ICMPv6")?;
        Ok(Self { tcp, icmp })
    }

    /// Hears answers to these source ports only; none without a range.
    pub(super) fn listen(&mut self, ports: Option<PortRange>) -> Result<(), WireError> {
        self.tcp.listen(ports.map(filter::tcp_over_ipv6))?;
        self.icmp
            .listen(ports.map(|_| filter::unreachable_over_ipv6()))
    }

    pub(super) fn send(
        &self,
        flow: &Flow,
        to: SocketAddrV6,
        sequence: u32,
        timestamp: u32,
    ) -> io::Result<()> {
        let segment = build::syn_segment(flow, sequence, timestamp);
        self.tcp
            .socket()
            .send_to(&segment, &SockAddr::from(to))
            .map(|_| ())
    }

    pub(super) fn sockets(&self) -> [&Socket; 2] {
        [self.tcp.socket(), self.icmp.socket()]
    }

    /// Takes what has come.
    pub(super) fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), WireError> {
        self.tcp.drain(events, |datagram, bytes| {
            reply::parse_tcp_ipv6(datagram.from?, datagram.to?, datagram.hop_limit, bytes).ok()
        })?;
        self.icmp.drain(events, |datagram, bytes| {
            reply::parse_icmp_ipv6(datagram.from?, datagram.hop_limit, bytes).ok()
        })
    }
}
