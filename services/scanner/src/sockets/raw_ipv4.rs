//! Sending IPv4 packets through a raw socket: the kernel routes them.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use portwatch_packet::{Pair, Ports, build};
use socket2::{Domain, Protocol, SockAddr, Socket};

use super::open;
use crate::wire::WireError;

/// A raw IPv4 socket that only sends.
#[derive(Debug)]
pub(super) struct RawIpv4(Socket);

impl RawIpv4 {
    /// Opens it. Needs `CAP_NET_RAW`.
    pub(super) fn open() -> Result<Self, WireError> {
        // IPPROTO_RAW only sends, and takes the IP header from us.
        let protocol = Protocol::from(libc::IPPROTO_RAW);
        open(Domain::IPV4, protocol, "raw IPv4 socket").map(Self)
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
        self.0.send_to(&packet, &to).map(|_| ())
    }
}
