//! Sending TCP segments over IPv6 through a raw socket: the kernel writes the IP header (RFC 3542), with the source
//! address that we expect, because it is asked for the same route.

use std::io;
use std::net::SocketAddrV6;

use portwatch_packet::{Flow, build};
use socket2::{Domain, Protocol, SockAddr, Socket};

use super::{filter, open};
use crate::wire::WireError;

/// A raw IPv6 socket that only sends.
#[derive(Debug)]
pub(super) struct RawIpv6(Socket);

impl RawIpv6 {
    /// Opens it. Needs `CAP_NET_RAW`.
    pub(super) fn open() -> Result<Self, WireError> {
        let name = "raw IPv6 socket for TCP";
        let socket = open(Domain::IPV6, Protocol::TCP, name)?;
        // It would hear all TCP segments, and nobody reads them.
        socket
            .attach_filter(&filter::nothing())
            .map_err(|source| WireError {
                attempted: format!("set the filter of the {name}"),
                source,
            })?;
        Ok(Self(socket))
    }

    pub(super) fn send(
        &self,
        flow: &Flow,
        to: SocketAddrV6,
        sequence: u32,
        timestamp: u32,
    ) -> io::Result<()> {
        let segment = build::syn_segment(flow, sequence, timestamp);
        self.0.send_to(&segment, &SockAddr::from(to)).map(|_| ())
    }
}
