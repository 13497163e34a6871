//! Raw IPv4 sockets: one to send whole packets, one that sees TCP, one that sees ICMP.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use portwatch_packet::{Pair, Ports, build, reply};
use socket2::{Domain, Protocol, SockAddr, Socket};

use super::filter::{self, PortRange};
use super::receiver::{Receiver, open};
use crate::wire::{Event, WireError};

/// The sockets.
#[derive(Debug)]
pub(super) struct RawIpv4 {
    out: Socket,
    tcp: Receiver,
    icmp: Receiver,
}

impl RawIpv4 {
    /// Opens them, deaf until [`Self::listen`]. Needs `CAP_NET_RAW`.
    pub(super) fn open() -> Result<Self, WireError> {
        // IPPROTO_RAW only sends, and takes the IP header from us.
        let out = open(
            Domain::IPV4,
            Protocol::from(libc::IPPROTO_RAW),
            "raw IPv4 socket",
        )?;
        let tcp = Receiver::open(Domain::IPV4, Protocol::TCP, "raw IPv4 socket for TCP")?;
        let icmp = Receiver::open(Domain::IPV4, Protocol::ICMPV4, "raw IPv4 socket for ICMP")?;
        Ok(Self { out, tcp, icmp })
    }

    /// Hears answers to these source ports only; none without a range.
    pub(super) fn listen(&mut self, ports: Option<PortRange>) -> Result<(), WireError> {
        self.tcp.listen(ports.map(filter::tcp_over_ipv4))?;
        self.icmp
            .listen(ports.map(|_| filter::unreachable_over_ipv4()))
    }

    pub(super) fn send(
        &self,
        pair: Pair<Ipv4Addr>,
        ports: Ports,
        sequence: u32,
        timestamp: u32,
    ) -> io::Result<()> {
        let packet = build::syn_ipv4(pair, ports, sequence, timestamp);
        let to = SockAddr::from(SocketAddrV4::new(pair.destination, 0));
        self.out.send_to(&packet, &to).map(|_| ())
    }

    pub(super) fn sockets(&self) -> [&Socket; 2] {
        [self.tcp.socket(), self.icmp.socket()]
    }

    /// Takes what has come.
    pub(super) fn drain(&mut self, events: &mut Vec<Event>) -> Result<(), WireError> {
        let parse = |_, bytes: &[u8]| reply::parse_ipv4(bytes).ok();
        self.tcp.drain(events, parse)?;
        self.icmp.drain(events, parse)
    }
}
